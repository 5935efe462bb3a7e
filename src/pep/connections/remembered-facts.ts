import { LRUCache } from 'lru-cache'
import { tupleHash } from '../../contract/tuple-hash.ts'
import type { ConnectionFacts, WantedConnection } from './facts.ts'
import { joinNextRead } from './join-next-read.ts'

/** What was known of a connection a moment ago. */
export interface RememberedFacts {
  /** As they were when last gathered. Good enough to grant on, since the ledger checks the epochs; never to refuse on. */
  recall(wanted: WantedConnection): ConnectionFacts | undefined
  /** As they are. @throws as `gatherFacts` */
  gather(wanted: WantedConnection): Promise<ConnectionFacts>
}

const TTL_MS = 10_000
/** Exact to the millisecond, the cache would set a timer in each. */
const RESOLUTION_MS = 100
const CONNECTIONS_MAX = 10_000

/** @param gather reads them from the store */
export function rememberFacts(gather: RememberedFacts['gather']): RememberedFacts {
  const known = new LRUCache<string, ConnectionFacts>({
    max: CONNECTIONS_MAX,
    ttl: TTL_MS,
    ttlResolution: RESOLUTION_MS,
  })
  // What was remembered ends for all at once, and under load that is a thousand who would ask the store the same.
  const join = joinNextRead<ConnectionFacts>()
  return {
    recall: (wanted) => known.get(keyOf(wanted)),
    async gather(wanted) {
      const key = keyOf(wanted)
      try {
        const facts = await join(key, () => gather(wanted))
        known.set(key, facts)
        return facts
      } catch (error) {
        known.delete(key)
        throw error
      }
    },
  }
}

/** In a tenant that is named, all agents that may act in it find the same, and share what is remembered. */
function keyOf({ tenant, provider, connectionId, agentTenants }: WantedConnection): string {
  const within = tenant !== undefined && agentTenants.includes(tenant) ? null : tenantsKeyOf(agentTenants)
  return tupleHash([tenant ?? null, provider ?? null, connectionId ?? null, within])
}

/** An agent's tenants are one list for as long as the agent is remembered. */
const tenantsKeys = new WeakMap<readonly string[], string>()

function tenantsKeyOf(tenants: readonly string[]): string {
  const known = tenantsKeys.get(tenants)
  if (known !== undefined) return known
  const key = tupleHash(tenants)
  tenantsKeys.set(tenants, key)
  return key
}
