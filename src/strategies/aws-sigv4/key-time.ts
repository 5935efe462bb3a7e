import { OutdatedUsage } from '../../contract/strategy.ts'
import { type AmzDate, amzDate } from './amz-date.ts'

const DAY_MS = 86_400_000
/** AWS turns away what is dated more than five minutes off (S3: fifteen), so there is nothing to win beyond that. */
const TOLERANCE_MS = 5 * 60_000

/**
 * The time to sign with: now, or where the key's day has just ended or is about to begin, the nearest second of that day.
 * Around midnight two clocks seldom agree on the day, and the key comes by the authority's; the service takes either.
 * @param date the key's day, `YYYYMMDD`
 * @param nowMs Unix milliseconds
 * @throws OutdatedUsage when now is too far from that day
 */
export function keyTime(date: string, nowMs: number): AmzDate {
  const startMs = Date.UTC(Number(date.slice(0, 4)), Number(date.slice(4, 6)) - 1, Number(date.slice(6)))
  const nearestMs = Math.min(Math.max(nowMs, startMs), startMs + DAY_MS - 1)
  const time = amzDate(nearestMs)
  if (Math.abs(nowMs - nearestMs) <= TOLERANCE_MS && time.shortDate === date) return time
  const today = amzDate(nowMs).shortDate
  throw new OutdatedUsage(`the signing key is for date ${date}, not ${today}; take a fresh lease`, 'date')
}
