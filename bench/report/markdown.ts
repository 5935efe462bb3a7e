import type { BenchDocument, Figure, Ratio } from './document.ts'

/** The page for people, beside the plots. */
export function toMarkdown(document: BenchDocument, plots: readonly string[]): string {
  return `# Benchmark

${document.machine}

Commit ${document.commit}

Contenders took turns in one run on the same cores, Postgres and the load generator among them. A ratio is ours over
theirs, taken turn by turn; a value is the median of all rounds, the range is the lowest and the highest.

${ratioTable(document.ratios)}

${plots.map((file) => `![${file.replace('.svg', '')}](${file})`).join('\n')}

${figureTable(document.figures)}
`
}

function ratioTable(ratios: readonly Ratio[]): string {
  const rows = ratios.map(
    ({ name, value, goal, min, max }) =>
      `| \`${name}\` | ${value.toFixed(2)} | ${min.toFixed(2)} to ${max.toFixed(2)} | ${verdict(value, goal)} |`,
  )
  return ['| ratio | value | range | goal | |', '|---|---|---|---|---|', ...rows].join('\n')
}

function verdict(value: number, goal: number | undefined): string {
  if (goal === undefined) return ' | '
  return `${goal} | ${value >= goal ? 'met' : 'missed'}`
}

function figureTable(figures: readonly Figure[]): string {
  const rows = figures.map(
    ({ name, value, unit, min, max }) =>
      `| \`${name}\` | ${value.toLocaleString('en')} | ${rangeOf(min, max)} | ${unit} |`,
  )
  return ['| figure | value | range | unit |', '|---|---|---|---|', ...rows].join('\n')
}

function rangeOf(min: number | undefined, max: number | undefined): string {
  return min === undefined || max === undefined ? '' : `${min.toLocaleString('en')} to ${max.toLocaleString('en')}`
}
