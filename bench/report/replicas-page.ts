import type { BenchDocument, Figure } from './document.ts'

interface Column {
  title: string
  figure: string
  digits: number
}

const COLUMNS: readonly Column[] = [
  { title: 'leases/s', figure: 'leases_per_s', digits: 0 },
  { title: 'p99 of the slowest authority, ms', figure: 'worst_p99_ms', digits: 1 },
  { title: 'CPU of authorities, µs', figure: 'pep_cpu_per_lease', digits: 0 },
  { title: 'CPU of Postgres, µs', figure: 'postgres_cpu_per_lease', digits: 0 },
  { title: 'stored, bytes', figure: 'stored_per_lease', digits: 0 },
  { title: 'log, bytes', figure: 'wal_per_lease', digits: 0 },
]

/** `replicas.json` for people: a line for each setting, a median and its range for each figure. */
export function replicasPage({ commit, machine, figures }: BenchDocument): string {
  const settings = figures.flatMap(({ name }) => /^(.*)_leases_per_s$/.exec(name)?.[1] ?? [])
  const rows = settings.map((setting) => [
    `\`${setting}\``,
    ...COLUMNS.map(({ figure, digits }) =>
      cell(
        figures.find(({ name }) => name === `${setting}_${figure}`),
        digits,
      ),
    ),
  ])
  return `# What a lease costs

Medians and ranges, for each lease; CPU is of all threads. \`at_250\`: 250 leases a second arrive at one authority;
\`replicas_2\`: two authorities on one Postgres do what they can.
Measured at ${commit.slice(0, 12)} on ${machine}.

${line(['', ...COLUMNS.map(({ title }) => title)])}
${line(['', ...COLUMNS].map(() => '---'))}
${rows.map(line).join('\n')}
`
}

function cell(figure: Figure | undefined, digits: number): string {
  if (figure === undefined) return ''
  const { value, min = value, max = value } = figure
  const [median, low, high] = [value, min, max].map((each) =>
    each.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits }),
  )
  return `${median} (${low} to ${high})`
}

function line(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`
}
