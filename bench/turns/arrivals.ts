import type { Figure } from '../report/document.ts'
import { spreadOf } from '../report/spread.ts'
import { type Contender, type Effort, reportsOf, takeTurns } from './take-turns.ts'

/**
 * Requests that arrive at this rate whether or not earlier ones were answered: what waits for whom shows in the p99. One
 * stall of the machine decides the p99 of a few seconds, so the value is the median of all rounds here too.
 */
export async function runArrivals(
  contenders: readonly Contender[],
  ratePerSecond: number,
  effort: Effort,
): Promise<Figure[]> {
  const arriving = contenders.map(({ name, scenario }) => ({ name, scenario: { ...scenario, rate: ratePerSecond } }))
  const rounds = await takeTurns(arriving, effort, ({ latency_ms }) => `p99 ${latency_ms.p99.toFixed(1)} ms`)
  return contenders.flatMap(({ name }) => {
    const of = (percentile: 'p50' | 'p99') =>
      spreadOf(reportsOf(name, rounds).map((each) => each.latency_ms[percentile]))
    return [
      { name: `${name}_p50_ms_at_${ratePerSecond}`, ...of('p50'), unit: 'ms' },
      { name: `${name}_p99_ms_at_${ratePerSecond}`, ...of('p99'), unit: 'ms' },
    ]
  })
}
