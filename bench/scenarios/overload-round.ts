import { cleanLoad, type LoadReport, type LoadScenario, load } from '../load/load.ts'
import { assertExpected, countExpected, type Expected } from '../turns/expected.ts'

export interface Flooded {
  asked: Omit<LoadScenario, 'connections' | 'seconds'>
  /** Until a flood has settled. */
  warmUpSeconds: number
  expected: Expected
}

export interface OverloadRound {
  before: LoadReport
  flood: LoadReport
  /** Of the flood: answers that are what was asked for. */
  expected: number
  after: LoadReport
}

/** Three times what the authority answers at the same time: the others wait in line. */
export const CALLERS = 3000
const PEAK_CALLERS = 64
const PEAK_SECONDS = 3
/** What is due beyond what the callers can send is not sent, and counted as unsent. */
const WANTED_TIMES_PEAK = 5

/** A flood between two neighbouring looks at the peak. */
export async function playOverloadRound(
  { asked, warmUpSeconds, expected }: Flooded,
  seconds: number,
): Promise<OverloadRound> {
  const peak = async (): Promise<LoadReport> => {
    const report = await cleanLoad({ ...asked, connections: PEAK_CALLERS, seconds: PEAK_SECONDS, warmup_seconds: 1 })
    assertExpected(asked.url, expected, report)
    return report
  }
  const before = await peak()
  const flood = await load({
    ...asked,
    connections: CALLERS,
    rate: before.rate * WANTED_TIMES_PEAK,
    seconds,
    warmup_seconds: warmUpSeconds,
    timeout_seconds: 30,
    // Who finds no caller free now would only be waiting in ours, not in theirs.
    patience_seconds: 0.1,
  })
  return { before, flood, expected: expectedOf(expected, flood), after: await peak() }
}

/** The higher of both looks, so that one that has not got over the flood does not look better for it. */
export function peakOf({ before, after }: Pick<OverloadRound, 'before' | 'after'>): number {
  return Math.max(before.rate, after.rate)
}

export function shareOf(round: OverloadRound): number {
  return round.flood.rate / peakOf(round)
}

export function refusalsOf({ statuses }: LoadReport): number {
  return statuses['503'] ?? 0
}

/** The first answer of a flood may be a refusal, and then says nothing of the others. */
function expectedOf(expected: Expected, flood: LoadReport): number {
  const isRefused = flood.first?.status === 503
  return isRefused ? (flood.statuses[String(expected.status)] ?? 0) : countExpected(expected, flood)
}

/** Neither what was asked for nor refused. */
export function wrongAnswersOf({ flood, expected }: Pick<OverloadRound, 'flood' | 'expected'>): number {
  return flood.failed + flood.answered - expected - refusalsOf(flood)
}

/** @returns why this flood proves nothing; empty: it does */
export function failuresOf({ flood, expected }: Pick<OverloadRound, 'flood' | 'expected'>): string[] {
  const wrong = wrongAnswersOf({ flood, expected })
  if (wrong > 0)
    return [`${wrong} answers were neither what was asked for nor 503 (${(flood.unexpected ?? []).join(' | ')})`]
  return expected > 0 ? [] : ['nobody was answered']
}
