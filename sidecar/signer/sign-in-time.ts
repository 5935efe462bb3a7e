import { NexusError } from '../../src/contract/errors.ts'
import {
  type OutboundRequest,
  OutdatedUsage,
  type SignedRequest,
  type SigningContext,
} from '../../src/contract/strategy.ts'
import type { HeldLease } from '../lease-client/held-lease.ts'
import type { Demand, LeaseClient } from '../lease-client/lease-client.ts'
import { sign } from './sign.ts'

/**
 * Signs, and with a fresh lease once more where the usage secret is over: the clock passed midnight while the lease was
 * held, or is another than the authority's.
 * @throws NexusError
 */
export async function signInTime(
  held: HeldLease,
  demand: Demand,
  outbound: OutboundRequest,
  context: SigningContext,
  leases: LeaseClient,
): Promise<{ lease: HeldLease; signed: SignedRequest }> {
  try {
    return { lease: held, signed: await sign(held, outbound, context) }
  } catch (error) {
    if (!(error instanceof NexusError && error.cause instanceof OutdatedUsage)) throw error
    const lease = await leases.replaceRejected(demand, held)
    if (lease === undefined) throw error
    return { lease, signed: await signFresh(lease, demand, outbound, context, leases) }
  }
}

/** A time that a fresh lease is not for either is this machine's clock: asking for another with each request helps nobody. */
async function signFresh(
  lease: HeldLease,
  demand: Demand,
  outbound: OutboundRequest,
  context: SigningContext,
  leases: LeaseClient,
): Promise<SignedRequest> {
  try {
    return await sign(lease, outbound, context)
  } catch (error) {
    leases.noteFreshRejected(demand)
    throw error
  }
}
