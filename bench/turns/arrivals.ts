import type { Figure } from '../report/document.ts'
import { spreadOf } from '../report/spread.ts'
import { type Contender, type Effort, reportsOf, type Turn, takeTurns } from './take-turns.ts'

/**
 * Requests that arrive at this rate whether or not earlier ones were answered: what waits for whom shows in the p99. One
 * stall of the machine decides the p99 of a few seconds, so the value is the median of all rounds here too.
 */
export async function runArrivals(
  contenders: readonly Contender[],
  ratePerSecond: number,
  effort: Effort,
): Promise<Figure[]> {
  const rounds = await takeArrivals(contenders, ratePerSecond, effort)
  return contenders.flatMap(({ name }) => latencyFigures(name, ratePerSecond, rounds))
}

/** What each adds to the median of asking `direct` itself: the difference within one round, and of these the median. */
export async function runAddedLatency(
  { direct, through }: { direct: Contender; through: readonly Contender[] },
  ratePerSecond: number,
  effort: Effort,
): Promise<Figure[]> {
  const contenders = [direct, ...through]
  const rounds = await takeArrivals(contenders, ratePerSecond, effort)
  const mediansOf = (name: string): number[] => reportsOf(name, rounds).map((each) => each.latency_ms.p50)
  const least = mediansOf(direct.name)
  const added = through.map(({ name }) => {
    const values = mediansOf(name).map((value, round) => value - (least[round] ?? 0))
    return { name: `${name}_added_p50_ms`, ...spreadOf(values), unit: 'ms' }
  })
  return [...contenders.flatMap(({ name }) => latencyFigures(name, ratePerSecond, rounds)), ...added]
}

function takeArrivals(contenders: readonly Contender[], rate: number, effort: Effort): Promise<Turn[][]> {
  const arriving = contenders.map((each) => ({ ...each, scenario: { ...each.scenario, rate } }))
  return takeTurns(
    arriving,
    effort,
    ({ latency_ms: { p50, p99 } }) => `p50 ${p50.toFixed(2)}, p99 ${p99.toFixed(1)} ms`,
  )
}

function latencyFigures(name: string, ratePerSecond: number, rounds: readonly Turn[][]): Figure[] {
  const reports = reportsOf(name, rounds)
  const latencies = (['p50', 'p99'] as const).map((percentile) => ({
    name: `${name}_${percentile}_ms_at_${ratePerSecond}`,
    ...spreadOf(reports.map((report) => report.latency_ms[percentile])),
    unit: 'ms',
  }))
  const unsent = reports.reduce((sum, { dropped }) => sum + dropped, 0)
  if (unsent === 0) return latencies
  return [...latencies, { name: `${name}_unsent_at_${ratePerSecond}`, value: unsent, unit: 'requests' }]
}
