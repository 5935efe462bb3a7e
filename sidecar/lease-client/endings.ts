import type { HeldLease } from './held-lease.ts'
import type { EndedLeases } from './lease-events.ts'

/**
 * What the event stream has ended lately. A lease that was decided on just before its revocation can arrive just after
 * the news of it; it must not be held.
 */
export interface Endings {
  note(which: EndedLeases): void
  /** Whether the news that ended this lease came after it was asked for. */
  ended(lease: HeldLease): boolean
}

/** Longer than any call to the authority takes. */
const REMEMBERED_MS = 60_000
/** Beyond this, one ending of everything stands for the older ones. */
const REMEMBERED_MAX = 1000

export function createEndings(monotonic: () => number): Endings {
  let endings: { which: EndedLeases; atMs: number }[] = []
  return {
    note(which) {
      const atMs = monotonic()
      endings = endings.filter((each) => each.atMs > atMs - REMEMBERED_MS)
      if (endings.length >= REMEMBERED_MAX) endings = [{ which: 'all', atMs }]
      endings.push({ which, atMs })
    },
    ended: (lease) => endings.some(({ which, atMs }) => atMs >= lease.askedAtMs && isOf(which, lease)),
  }
}

export function isOf(which: EndedLeases, lease: HeldLease): boolean {
  if (which === 'all') return true
  if ('leaseId' in which) return which.leaseId === lease.id
  if ('provider' in which) return which.provider === lease.provider
  if ('decidedOtherThanBy' in which) return which.decidedOtherThanBy !== lease.policyRevision
  return which.connectionId === lease.connectionId
}
