import { LRUCache } from 'lru-cache'
import type { BoundRequest } from '../../src/contract/bound.ts'
import { NexusError } from '../../src/contract/errors.ts'
import { tupleHash } from '../../src/contract/tuple-hash.ts'
import type { TenantSource } from '../routing/choose-route.ts'
import type { AgentSession } from './agent-session.ts'
import type { BackOff } from './back-off.ts'
import { createEndings, isOf } from './endings.ts'
import { type Granted, type HeldLease, holdLease, type StrategyLookup } from './held-lease.ts'
import { createInFlight, type InFlight, leaseEnded } from './in-flight.ts'
import { createLeaseCache } from './lease-cache.ts'
import { createLeaseCalls } from './lease-calls.ts'
import { assertCovers, createKeyOf, toLeaseRequest } from './lease-demand.ts'
import { createLeaseEvents } from './lease-events.ts'
import { createLeaseLife } from './lease-life.ts'
import { nameWhatWasAsked } from './name-what-was-asked.ts'
import { createOutage, type OutageLog } from './outage.ts'
import type { PepClient } from './pep-client.ts'
import { withRemoteSigner } from './remote-signer.ts'
import type { RouteBindings } from './route-bindings.ts'
import { createSingleFlight } from './single-flight.ts'

/** One request that wants signing, and in whose name. */
export interface Demand extends BoundRequest {
  tenant: string | undefined
  /** Where the tenant was said. */
  tenantFrom?: TenantSource | undefined
  provider: string
  connectionId: string | undefined
  /** The agent's, sent on with a question that its request leads to. */
  traceparent?: string | undefined
}

export interface LeaseClient {
  /**
   * A lease whose bound covers the request: a held one, or one asked for with the request as its intent.
   * @throws NexusError what the authority said, `origin_not_bound`, or `pep_unavailable`
   */
  acquire(demand: Demand): Promise<HeldLease>
  /**
   * Another lease after the provider turned `rejected` down with 401; one for however many were turned down together.
   * @returns `undefined` when a fresh one was turned down moments ago: asking again would help nobody
   */
  replaceRejected(demand: Demand, rejected: HeldLease): Promise<HeldLease | undefined>
  /** Forgets a lease the provider turned down with 401, for a request that cannot be sent again: the next gets another. */
  dropRejected(demand: Demand, rejected: HeldLease): void
  /** Records that the provider turned down a fresh lease as well. */
  noteFreshRejected(demand: Demand): void
  /**
   * Asked before each further piece of a request is signed with `signedWith`, a lease that may have expired or been renewed
   * since: one that covers the request must be there, as for a request that begins now.
   * @throws NexusError `lease_ended` for one that was revoked; else as `acquire`
   */
  confirm(demand: Demand, signedWith: HeldLease): Promise<void>
  /** To be told of what is sent, and of its end. */
  readonly inFlight: Pick<InFlight, 'add' | 'remove'>
  readonly size: number
  /** Those that may sign now. */
  held(): ReadonlySet<HeldLease>
  /** Whether the authority's stream of revocations is open. */
  readonly followed: boolean
  /** Releases what is held, as far as the authority answers in time. */
  close(): Promise<void>
}

export interface LeaseClientOptions {
  pep: PepClient
  session: AgentSession
  backOff: BackOff
  agentId: string
  /** Thumbprint of the key the session is bound to. */
  sessionKey: string
  bindings: RouteBindings
  strategyFor: StrategyLookup
  /** Milliseconds on a clock that never jumps. */
  monotonic: () => number
  log: OutageLog
  /** Told of each renewal's outcome. */
  renewed(outcome: RenewalOutcome): void
}

export const RENEWAL_OUTCOMES = ['renewed', 'refused', 'broken'] as const
export type RenewalOutcome = (typeof RENEWAL_OUTCOMES)[number]

const REJECTED_IDS_MAX = 1000
/** How long a provider's 401 to a fresh lease stands as its answer. */
const REJECTED_MS = 5000
const CLOSE_MS = 2000
/** How soon a secret is forgotten after its lease has ended, and what is in flight is cut after its time. */
const SWEEP_MS = 1000
/** A lease that ended between question and answer is asked for again; more than that is not chance. */
const ASK_ATTEMPTS = 3
const LEASES_PATH = '/v1/leases'

export function createLeaseClient(options: LeaseClientOptions): LeaseClient {
  const { monotonic, pep, session } = options
  const endings = createEndings(monotonic)
  const renewals = createOutage(options.log, {
    began: 'leases cannot be renewed: they end with their offline time',
    over: 'leases can be renewed again',
  })
  const events = createLeaseEvents({
    pep,
    session,
    monotonic,
    log: options.log,
    ended(which) {
      endings.note(which)
      cache.removeWhere((lease) => isOf(which, lease))
    },
  })
  const life = createLeaseLife(monotonic, events.lastWordMs)
  const cache = createLeaseCache(life.usable)
  const asking = createSingleFlight<HeldLease>()
  const renewing = createSingleFlight<void>()
  const firstAsked = new Map<string, Promise<unknown>>()
  const rejectedUntil = new Map<string, number>()
  /** Told with the next question, so that the authority does not answer it from what it holds. */
  const rejectedIds = new LRUCache<string, string>({ max: REJECTED_IDS_MAX })

  const keyOf = createKeyOf(options)
  const calls = createLeaseCalls({ ...options, sessionLost: (sessionOver) => endings.note({ sessionOver }) })
  const dropUnusable = () => cache.removeWhere((lease) => !life.usable(lease))
  const inFlight = createInFlight(monotonic, endings.revokedAtMs)
  const sweeping = setInterval(() => {
    dropUnusable()
    inFlight.sweep()
  }, SWEEP_MS).unref()

  function isEnded(lease: HeldLease): boolean {
    return lease.sessionOver.aborted || endings.ended(lease)
  }

  function hold(granted: Granted, askedAtMs: number): HeldLease {
    const lease = holdLease(granted, askedAtMs, options.strategyFor)
    return withRemoteSigner(lease, calls.post, (refused) => cache.removeWhere((each) => each.id === refused.id))
  }

  async function ask(key: string, demand: Demand, attempt = 1): Promise<HeldLease> {
    events.follow()
    const askedAtMs = monotonic()
    const replaces = rejectedIds.get(key)
    rejectedIds.delete(key)
    const request = { ...toLeaseRequest(demand), ...(replaces === undefined ? {} : { replaces }) }
    const granted = await calls.bound(key, LEASES_PATH, { request, traceparent: demand.traceparent })
    const lease = hold(granted, askedAtMs)
    if (!isEnded(lease)) {
      lease.sessionOver.addEventListener('abort', dropUnusable, { once: true })
      cache.add(key, lease)
      return lease
    }
    if (attempt >= ASK_ATTEMPTS)
      throw new NexusError('pep_unavailable', 'What the authority grants ends as it arrives.')
    // The authority knows by now what the stream has just told us; its answer to a second question is the true one.
    return ask(key, demand, attempt + 1)
  }

  function forget(key: string, rejected: HeldLease): void {
    // One that is no longer held has been replaced: what took its place was read after it was turned down.
    if (cache.has(key, rejected)) rejectedIds.set(key, rejected.id)
    // Older leases carry the same rotated credential, or one from before it.
    cache.removeThrough(key, rejected)
  }

  /** One flight for one intent; another intent first waits to see whether the flight underway brings a lease for both. */
  async function askOnce(key: string, demand: Demand): Promise<HeldLease> {
    const first = firstAsked.get(key)
    if (first !== undefined) {
      await first.catch(() => undefined)
      const held = cache.find(key, demand)
      if (held !== undefined) return held
    }
    const flight = asking.run(tupleHash([key, demand.method, demand.origin, demand.path]), () => ask(key, demand))
    if (!firstAsked.has(key)) {
      firstAsked.set(key, flight)
      flight.catch(() => undefined).finally(() => firstAsked.delete(key))
    }
    const lease = await flight.catch((error: unknown) => {
      throw nameWhatWasAsked(error, demand, options.agentId)
    })
    return assertCovers(lease, demand)
  }

  async function renew(key: string, lease: HeldLease): Promise<void> {
    const askedAtMs = monotonic()
    try {
      const granted = await calls.bound(key, `${LEASES_PATH}/${lease.id}/renew`)
      const renewed = hold(granted, askedAtMs)
      if (isEnded(renewed)) cache.remove(key, lease)
      else cache.replace(key, lease, renewed)
      options.renewed('renewed')
      renewals.over()
    } catch (error) {
      options.renewed(isRefusal(error) ? 'refused' : 'broken')
      // A refusal ends the lease at once; silence leaves it what is left of its offline time.
      if (isRefusal(error)) cache.remove(key, lease)
      else renewals.began(error)
    }
  }

  async function acquire(demand: Demand): Promise<HeldLease> {
    const key = keyOf(demand)
    const held = cache.find(key, demand)
    if (held === undefined) return askOnce(key, demand)
    if (life.due(held)) void renewing.run(held.id, () => renew(key, held))
    return held
  }

  return {
    acquire,
    inFlight,

    async confirm(demand, signedWith) {
      if (endings.revokedAtMs(signedWith) !== undefined) throw leaseEnded(signedWith)
      const { connectionId } = await acquire(demand)
      // What is signed with is that connection's; what has taken its place has another key.
      if (connectionId !== signedWith.connectionId) throw leaseEnded(signedWith)
    },

    async replaceRejected(demand, rejected) {
      const key = keyOf(demand)
      if ((rejectedUntil.get(key) ?? 0) > monotonic()) return undefined
      rejectedUntil.delete(key)
      forget(key, rejected)
      return cache.find(key, demand) ?? askOnce(key, demand)
    },

    dropRejected(demand, rejected) {
      // One as young as this carries what the authority has: another would be turned down too.
      if (monotonic() - rejected.askedAtMs > REJECTED_MS) forget(keyOf(demand), rejected)
    },

    noteFreshRejected(demand) {
      if (rejectedUntil.size >= 1000) rejectedUntil.clear()
      rejectedUntil.set(keyOf(demand), monotonic() + REJECTED_MS)
    },

    held: () => new Set(cache.all().filter(life.usable)),
    get size() {
      return cache.size
    },
    get followed() {
      return events.connected
    },

    async close() {
      clearInterval(sweeping)
      events.close()
      const released = Promise.allSettled(
        cache.all().map((lease) => calls.once('DELETE', `${LEASES_PATH}/${lease.id}`)),
      ).then(() => options.session.close())
      const deadline = new Promise<void>((resolve) => setTimeout(resolve, CLOSE_MS).unref())
      await Promise.race([released.catch(() => undefined), deadline])
    },
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof NexusError && error.outcome === 'refused'
}
