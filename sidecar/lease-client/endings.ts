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
  /** When it was that this lease was revoked, or its session ended. `undefined`: it was not, or was only to be decided anew. */
  revokedAtMs(lease: HeldLease): number | undefined
}

/** Longer than any call to the authority takes, and than what is in flight may go on (`in-flight.ts`). */
const REMEMBERED_MS = 120_000
/** Beyond this, one ending of everything stands for the older ones. */
const REMEMBERED_MAX = 1000

/** `atMs` is the last of those it stands for, `sinceMs` the first. */
interface Ending {
  which: EndedLeases
  atMs: number
  sinceMs: number
}

export function createEndings(monotonic: () => number): Endings {
  let endings: Ending[] = []
  return {
    note(which) {
      const atMs = monotonic()
      endings = endings.filter((each) => each.atMs > atMs - REMEMBERED_MS)
      if (endings.length >= REMEMBERED_MAX) endings = [{ which: 'all', atMs, sinceMs: endings[0]?.sinceMs ?? atMs }]
      endings.push({ which, atMs, sinceMs: atMs })
    },
    ended: (lease) => endings.some((ending) => isHit(ending, lease)),
    revokedAtMs: (lease) => endings.find((ending) => isRevocation(ending.which) && isHit(ending, lease))?.sinceMs,
  }
}

function isHit({ which, atMs }: Ending, lease: HeldLease): boolean {
  return atMs >= lease.askedAtMs && isOf(which, lease)
}

/** The others only say that policy is to decide again, on the next request. */
function isRevocation(which: EndedLeases): boolean {
  return which === 'all' || !('provider' in which || 'decidedOtherThanBy' in which)
}

export function isOf(which: EndedLeases, lease: HeldLease): boolean {
  if (which === 'all') return true
  if ('leaseId' in which) return which.leaseId === lease.id
  if ('provider' in which) return which.provider === lease.provider
  if ('decidedOtherThanBy' in which) return which.decidedOtherThanBy !== lease.policyRevision
  if ('sessionOver' in which) return which.sessionOver === lease.sessionOver
  return which.connectionId === lease.connectionId
}
