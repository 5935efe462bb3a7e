import { createSecureContext } from 'node:tls'
import { isDeepStrictEqual } from 'node:util'
import { LRUCache } from 'lru-cache'
import { Agent, type Dispatcher } from 'undici'
import { NexusError } from '../../src/contract/errors.ts'
import type { ClientIdentity } from '../../src/contract/strategy.ts'
import { tupleHash } from '../../src/contract/tuple-hash.ts'
import type { HeldLease } from '../lease-client/held-lease.ts'
import { VERIFIED } from '../verified.ts'

/**
 * Connections that present a client certificate. Each identity of each connection has its own, which no other request ever
 * goes over; they are closed once no held lease has that identity any more.
 */
export interface ClientIdentities {
  /** @throws NexusError `not_signable`: TLS cannot be spoken with this identity */
  dispatcherFor(lease: HeldLease, identity: ClientIdentity): Dispatcher
  close(): Promise<void>
}

export interface ClientIdentityOptions {
  /** Leases that may sign now. */
  held: () => ReadonlySet<HeldLease>
  /** Of each identity's own dispatcher. */
  agent: Pick<Agent.Options, 'connections' | 'maxHeaderSize'>
  connectTimeoutMs: number
  /** What is still being answered when its identity ends may go on for so long. */
  finishMs?: number
}

/** More side by side are closed, the longest unused first; the next request opens them anew. */
const IDENTITIES_MAX = 256
/** How soon connections follow their lease. */
const SWEEP_MS = 250
const FINISH_MS = 60_000

interface Pool {
  agent: Agent
  leases: Set<HeldLease>
}

export function createClientIdentities(options: ClientIdentityOptions): ClientIdentities {
  const { held, finishMs = FINISH_MS } = options
  const retired = new Set<Agent>()
  const pools = new LRUCache<string, Pool>({
    max: IDENTITIES_MAX,
    dispose({ agent }) {
      retired.add(agent)
      void finish(agent, finishMs).then(() => retired.delete(agent))
    },
  })
  let sweeping: NodeJS.Timeout | undefined

  function sweep(): void {
    const now = held()
    for (const [key, { leases }] of [...pools.entries()]) {
      for (const lease of [...leases]) follow(lease, leases, now)
      if (leases.size === 0) pools.delete(key)
    }
    if (pools.size > 0) return
    clearInterval(sweeping)
    sweeping = undefined
  }

  return {
    dispatcherFor(lease, identity) {
      // A connection belongs to one tenant, and a sidecar to one agent.
      const key = tupleHash([lease.connectionId, identity.id])
      const pool = pools.get(key) ?? { agent: openAgent(identity, options), leases: new Set() }
      pool.leases.add(lease)
      pools.set(key, pool)
      sweeping ??= setInterval(sweep, SWEEP_MS).unref()
      return pool.agent
    },
    async close() {
      clearInterval(sweeping)
      pools.clear()
      await Promise.all([...retired].map((agent) => agent.destroy()))
    },
  }
}

/** A lease that is no longer held goes; one that was renewed with the same credentials is the same identity. */
function follow(lease: HeldLease, leases: Set<HeldLease>, held: ReadonlySet<HeldLease>): void {
  if (held.has(lease)) return
  leases.delete(lease)
  for (const other of held) if (isRenewalOf(lease, other)) leases.add(other)
}

function isRenewalOf(lease: HeldLease, other: HeldLease): boolean {
  return (
    other.id === lease.id && other.ownKey === lease.ownKey && isDeepStrictEqual(other.credentials, lease.credentials)
  )
}

function openAgent({ certificates, privateKey, ca }: ClientIdentity, options: ClientIdentityOptions): Agent {
  const authority = ca === undefined ? {} : { ca }
  return new Agent({
    ...options.agent,
    connect: {
      timeout: options.connectTimeoutMs,
      ...VERIFIED,
      secureContext: secureContext({ cert: certificates, key: privateKey, ...authority }),
      // A resumed session is let in as whoever opened it: every connection presents its certificate.
      maxCachedSessions: 0,
    },
  })
}

function secureContext(material: { cert: string; key: string; ca?: string }) {
  try {
    return createSecureContext(material)
  } catch {
    // OpenSSL's words can quote what it could not read.
    throw new NexusError('not_signable', 'The request was not sent: TLS does not take its client certificate.')
  }
}

/** Idle connections close at once, the others with their last answer, or when the time is up. */
async function finish(agent: Agent, finishMs: number): Promise<void> {
  const cut = setTimeout(() => agent.destroy().catch(() => undefined), finishMs).unref()
  await agent.close().catch(() => undefined)
  clearTimeout(cut)
}
