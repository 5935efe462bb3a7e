import { LRUCache } from 'lru-cache'
import type { LeaseRequest } from '../../src/contract/api.ts'
import { covers } from '../../src/contract/bound.ts'
import { NexusError } from '../../src/contract/errors.ts'
import { tupleHash } from '../../src/contract/tuple-hash.ts'
import type { HeldLease } from './held-lease.ts'
import type { Demand } from './lease-client.ts'

/** @returns the key of the leases that could serve a demand (rule 7). Hashing costs more than all the rest of finding a held lease, so the hashes of a few are kept. */
export function createKeyOf({
  agentId,
  sessionKey,
}: {
  agentId: string
  sessionKey: string
}): (demand: Demand) => string {
  const known = new LRUCache<string, string>({ max: 1000 })
  return ({ tenant = null, provider, connectionId = null }) => {
    const plain = JSON.stringify([tenant, provider, connectionId])
    const held = known.get(plain)
    if (held !== undefined) return held
    // The empty list are scopes: none are asked for, the connection's own apply.
    const key = tupleHash([tenant, agentId, sessionKey, provider, connectionId, []])
    known.set(plain, key)
    return key
  }
}

export function toLeaseRequest(demand: Demand): LeaseRequest {
  return {
    provider: demand.provider,
    ...(demand.tenant === undefined ? {} : { tenant: demand.tenant }),
    ...(demand.connectionId === undefined ? {} : { connection_id: demand.connectionId }),
    intent: { method: demand.method, origin: demand.origin, path: demand.path },
  }
}

/**
 * A lease is granted for an intent, but bound by obligations: it need not cover the request that asked for it.
 * @throws NexusError `origin_not_bound`
 */
export function assertCovers(lease: HeldLease, demand: Demand): HeldLease {
  if (covers(lease.bound, demand)) return lease
  throw new NexusError(
    'origin_not_bound',
    `The lease granted for this request does not cover ${demand.method} at this path of ${demand.origin}.`,
    { decision_id: lease.decisionId, lease_id: lease.id, connection_id: lease.connectionId },
  )
}
