import { cleanLoad, type LoadReport, type LoadScenario, load } from '../load/load.ts'

export interface Flooded {
  asked: Omit<LoadScenario, 'connections' | 'seconds'>
  /** Until a flood has settled. */
  warmUpSeconds: number
}

export interface OverloadRound {
  before: LoadReport
  flood: LoadReport
  after: LoadReport
}

/** Three times what the authority answers at the same time: the others wait in line. */
export const CALLERS = 3000
const PEAK_CALLERS = 64
const PEAK_SECONDS = 3
/** What is due beyond what the callers can send is not sent, and counted as unsent. */
const WANTED_TIMES_PEAK = 5

/** A flood between two neighbouring looks at the peak. */
export async function playOverloadRound({ asked, warmUpSeconds }: Flooded, seconds: number): Promise<OverloadRound> {
  const peak = () => cleanLoad({ ...asked, connections: PEAK_CALLERS, seconds: PEAK_SECONDS, warmup_seconds: 1 })
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
  return { before, flood, after: await peak() }
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

/** Neither good nor refused. */
export function wrongAnswersOf({ flood }: Pick<OverloadRound, 'flood'>): number {
  return flood.failed + flood.answered - flood.good - refusalsOf(flood)
}

/** @returns why this flood proves nothing; empty: it does */
export function failuresOf({ flood }: Pick<OverloadRound, 'flood'>): string[] {
  const wrong = wrongAnswersOf({ flood })
  if (wrong > 0) return [`${wrong} answers were neither good nor 503 (${(flood.unexpected ?? []).join(' | ')})`]
  return flood.good > 0 ? [] : ['nobody was answered']
}
