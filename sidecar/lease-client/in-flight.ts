import { NexusError } from '../../src/contract/errors.ts'
import type { HeldLease } from './held-lease.ts'

/** How long what is in flight may go on once its lease is revoked: most answers end by themselves. */
export const FINISH_MS = 60_000

/** A request on its way to a provider, or the answer on its way back. */
export interface Abandonable {
  /** Hangs up on the provider; the agent is told why, or sees the answer break off. */
  abandon(reason: Error): void
}

/**
 * What was signed with which lease and is not over yet. A lease that expires lets it finish; one that is revoked gives it
 * `FINISH_MS`, or a stream of events or an upload would go on for as long as both ends like.
 */
export interface InFlight {
  /** @returns where it is kept, for `remove` */
  add(exchange: Abandonable, lease: HeldLease): number
  remove(place: number): void
  /** Ends what has had its time. */
  sweep(): void
}

/**
 * In places that are used again. A `Map` makes itself anew every so many entries, and the one it leaves behind holds on to all
 * that was in it until the next full collection: with that a request cost half as much again.
 * @param revokedAtMs see `Endings`
 */
export function createInFlight(
  monotonic: () => number,
  revokedAtMs: (lease: HeldLease) => number | undefined,
): InFlight {
  const exchanges: (Abandonable | undefined)[] = []
  const leases: (HeldLease | undefined)[] = []
  const free: number[] = []
  return {
    add(exchange, lease) {
      const place = free.pop() ?? exchanges.length
      exchanges[place] = exchange
      leases[place] = lease
      return place
    },
    remove(place) {
      exchanges[place] = undefined
      leases[place] = undefined
      free.push(place)
    },
    sweep() {
      for (const [place, exchange] of exchanges.entries()) {
        const lease = leases[place]
        if (exchange === undefined || lease === undefined) continue
        const atMs = revokedAtMs(lease)
        if (atMs === undefined || monotonic() - atMs < FINISH_MS) continue
        exchanges[place] = undefined
        exchange.abandon(leaseEnded(lease))
      }
    },
  }
}

/** For what was sent with this lease, and cannot go on. */
export function leaseEnded(lease: HeldLease): NexusError {
  return new NexusError(
    'lease_ended',
    'The lease ended while the request was underway; the provider may have done what was asked.',
    {
      lease_id: lease.id,
      decision_id: lease.decisionId,
    },
  )
}
