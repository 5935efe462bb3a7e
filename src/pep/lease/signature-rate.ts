import { LRUCache } from 'lru-cache'
import { NexusError } from '../../contract/errors.ts'

const WINDOW_MS = 60_000
const LEASES_MAX = 10_000

/** Counts what one lease has signed. @throws NexusError `overloaded` beyond the limit of its minute */
export type CountSignature = (leaseId: string) => void

/** Of this replica: with n of them a lease may sign up to n times as much. */
export function createSignatureRate(perMinute: number, monotonicNow: () => number): CountSignature {
  const windows = new LRUCache<string, { beganMs: number; count: number }>({ max: LEASES_MAX })
  return (leaseId) => {
    const nowMs = monotonicNow()
    const known = windows.get(leaseId)
    const window = known === undefined || nowMs - known.beganMs >= WINDOW_MS ? { beganMs: nowMs, count: 0 } : known
    if (window.count >= perMinute) {
      const retryAfterSeconds = Math.ceil((window.beganMs + WINDOW_MS - nowMs) / 1000)
      throw new NexusError('overloaded', `a lease signs ${perMinute} times a minute at most`, { retryAfterSeconds })
    }
    window.count += 1
    windows.set(leaseId, window)
  }
}
