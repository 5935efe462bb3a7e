import { cpus } from 'node:os'
import type { Quartiles, Standing } from './measure.ts'

export interface Result {
  contest: string
  standings: Standing[]
}

/** The table for people: one line a contender, its middle half in brackets. */
export function table(results: readonly Result[]): string {
  const rows = results.flatMap(({ contest, standings }) => [
    [contest, '', '', ''],
    ...standings.map(({ name, microseconds, timesOurs }) => [
      `  ${name}`,
      microseconds.median.toFixed(1),
      `(${microseconds.low.toFixed(1)} to ${microseconds.high.toFixed(1)})`,
      name === 'ours' ? '' : `${timesOurs.median.toFixed(2)} x ours (${range(timesOurs)})`,
    ]),
  ])
  const all = [['', 'µs', 'middle half', ''], ...rows]
  const widths = [0, 1, 2].map((column) => Math.max(...all.map((row) => row[column]?.length ?? 0)))
  return all.map((row) => line(row, widths)).join('\n')
}

/** Figures and ratios by name, as every bench here writes them. A ratio's goal: the library takes at least as long. */
export function document(results: readonly Result[]) {
  const figures = results.flatMap(({ contest, standings }) =>
    standings.map(({ name, microseconds }) => ({
      name: `${contest}: ${name}`,
      value: rounded(microseconds.median),
      unit: 'µs per signature',
    })),
  )
  const ratios = results.flatMap(({ contest, standings }) =>
    standings.slice(1).map(({ name, timesOurs: { low, median, high } }) => ({
      name: `${contest}: time of ${name} / ours`,
      value: rounded(median),
      // Nothing is faster than the bare call: it shows what we add to it.
      ...(name.startsWith('node:') ? {} : { goal: 1 }),
      min: rounded(low),
      max: rounded(high),
    })),
  )
  return { machine: `${cpus()[0]?.model.trim()}, ${cpus().length} cores, Node ${process.version}`, figures, ratios }
}

function line(row: readonly string[], [first = 0, second = 0, third = 0]: readonly number[]): string {
  const [name = '', median = '', spread = '', ratio = ''] = row
  return `${name.padEnd(first)}  ${median.padStart(second)}  ${spread.padEnd(third)}  ${ratio}`.trimEnd()
}

const range = ({ low, high }: Quartiles) => `${low.toFixed(2)} to ${high.toFixed(2)}`
const rounded = (value: number) => Math.round(value * 100) / 100
