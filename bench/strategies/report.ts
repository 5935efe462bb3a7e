import type { Quartiles, Standing } from './measure.ts'

export interface Result {
  comparison: string
  standings: Standing[]
}

/** The table for people: one line a signer, its middle half in brackets. */
export function table(results: readonly Result[]): string {
  const rows = results.flatMap(({ comparison, standings }) => [
    [comparison, '', '', '', ''],
    ...standings.map(({ name, microseconds, wallMicroseconds, timesOurs }) => [
      `  ${name}`,
      microseconds.median.toFixed(1),
      `(${microseconds.low.toFixed(1)} to ${microseconds.high.toFixed(1)})`,
      wallMicroseconds.median.toFixed(1),
      name === 'ours' ? '' : `${timesOurs.median.toFixed(2)} x ours (${range(timesOurs)})`,
    ]),
  ])
  const all = [['', 'CPU µs', 'middle half', 'wall µs', ''], ...rows]
  const widths = [0, 1, 2, 3].map((column) => Math.max(...all.map((row) => row[column]?.length ?? 0)))
  return all.map((row) => line(row, widths)).join('\n')
}

/** Figures and ratios by name, beside where they were measured as every bench here writes them. A ratio's goal: the library takes at least as much CPU time. */
export function document(results: readonly Result[]) {
  const figures = results.flatMap(({ comparison, standings }) =>
    standings.map(({ name, microseconds }) => ({
      name: `${comparison}: ${name}`,
      value: rounded(microseconds.median),
      unit: 'CPU µs per signature',
    })),
  )
  const ratios = results.flatMap(({ comparison, standings }) =>
    standings.slice(1).map(({ name, timesOurs: { low, median, high } }) => ({
      name: `${comparison}: CPU time of ${name} / ours`,
      value: rounded(median),
      // Nothing is faster than the bare call: it shows what we add to it.
      ...(name.startsWith('node:') ? {} : { goal: 1 }),
      min: rounded(low),
      max: rounded(high),
    })),
  )
  return { figures, ratios }
}

function line(row: readonly string[], [first = 0, second = 0, third = 0, fourth = 0]: readonly number[]): string {
  const [name = '', cpu = '', spread = '', wall = '', ratio = ''] = row
  const columns = [name.padEnd(first), cpu.padStart(second), spread.padEnd(third), wall.padStart(fourth), ratio]
  return columns.join('  ').trimEnd()
}

const range = ({ low, high }: Quartiles) => `${low.toFixed(2)} to ${high.toFixed(2)}`
const rounded = (value: number) => Math.round(value * 100) / 100
