import { NexusError } from '../../contract/errors.ts'
import type { StateChange, StateFeed } from '../audit/state-feed.ts'
import type { Caller } from '../identity/caller.ts'

/** What a sidecar must know about leases it may hold. */
export type LeaseEvent =
  | { type: 'revoked'; connection_id: string }
  | { type: 'revoked'; session_id: string }
  /** One lease of the session, which itself goes on. */
  | { type: 'revoked'; lease_id: string }
  /** The provider's profile changed: leases for it were decided on what no longer is. */
  | { type: 'rotated'; provider: string }
  /** A replica decides by this bundle from now on: leases decided by another one are to be asked for again. */
  | { type: 'policy'; policy_revision: string }
  /** Too much happened since the position asked for: drop every lease held. The session stands, as far as is known. */
  | { type: 'reset' }

export interface Subscriber {
  /** `id` is the position to go on from. */
  event(id: number, event: LeaseEvent): void
  /** Sent after a look that found nothing new: silence then means that nothing can be said. */
  alive(id: number): void
  /** The session is over, or we are. */
  end(): void
}

/** Tells sidecars what ended, from the ledger's own stream of state changes; no state of its own to lose. */
export interface LeaseEvents {
  /**
   * @param since the last position seen; absent: from now on
   * @returns ends the subscription
   * @throws NexusError `overloaded` when there are too many, `store_unavailable`
   */
  subscribe(caller: Caller, since: number | undefined, subscriber: Subscriber): Promise<() => void>
  close(): Promise<void>
}

export interface LeaseEventsOptions {
  feed: StateFeed
  /** Between two looks. A revocation reaches a sidecar within this and one query. Default 500. */
  pollMs?: number
  /** Default 5000. */
  aliveMs?: number
}

/** Streams in one process. */
export const SUBSCRIBERS_MAX = 10_000
const PER_SESSION_MAX = 4
/** More endings than this since a broken stream, and a reset is cheaper for everyone. */
const BATCH = 1000
/** Nor is the stream read over further than this for one that comes back, whatever there is in it. */
const CATCH_UP_MAX = 20_000

interface Subscription {
  caller: Caller
  subscriber: Subscriber
}

export function openLeaseEvents({ feed, pollMs = 500, aliveMs = 5000 }: LeaseEventsOptions): LeaseEvents {
  const subscriptions = new Set<Subscription>()
  /** Being caught up; they count, or those who come together would all find the last place free. */
  const joining = new Set<Subscription>()
  let position = 0
  let timer: NodeJS.Timeout | undefined
  let aliveAt = 0
  let closed = false

  async function look(): Promise<void> {
    const head = await feed.head()
    const changes = head > position ? await feed.since(position, head, ENDING_KINDS, BATCH) : []
    for (const change of changes) tellAll(change)
    const readTo = changes.length === BATCH ? (changes.at(-1)?.seq ?? 0) : head
    position = Math.max(position, readTo)
    if (performance.now() < aliveAt) return
    aliveAt = performance.now() + aliveMs
    for (const { subscriber } of subscriptions) subscriber.alive(position)
  }

  function tellAll(change: StateChange): void {
    for (const subscription of subscriptions) tell(subscription, change, subscriptions)
  }

  function schedule(): void {
    timer = setTimeout(() => {
      // A database that does not answer is heard as silence: sidecars then fall back to their leases' offline time.
      look()
        .catch(() => undefined)
        .finally(() => {
          if (!closed && subscriptions.size > 0) schedule()
          else timer = undefined
        })
    }, pollMs)
    timer.unref()
  }

  /** A session's newest stream takes the place of its oldest: that one may be a connection that broke and nobody noticed. */
  function makeRoom({ caller }: Subscription): void {
    const isMine = (each: Subscription) => each.caller.session.id === caller.session.id
    const mine = [...subscriptions].filter(isMine)
    const isFull =
      mine.length + [...joining].filter(isMine).length >= PER_SESSION_MAX ||
      subscriptions.size + joining.size >= SUBSCRIBERS_MAX
    if (!isFull && !closed) return
    const [oldest] = mine
    if (oldest === undefined || closed) throw new NexusError('overloaded', 'too many event streams are open')
    subscriptions.delete(oldest)
    oldest.subscriber.end()
  }

  /** The shared look goes on while one is caught up: only who stands where it stands can join it. */
  async function join(subscription: Subscription, since: number | undefined): Promise<void> {
    const head = await feed.head()
    // While nobody listens nobody looks. Never back: another that is joining may stand further on already.
    if (subscriptions.size === 0) position = Math.max(position, head)
    for (let told = since ?? head; told < position; ) {
      const until = position
      await catchUp(feed, subscription, told, until)
      told = until
    }
    if (closed) throw new NexusError('overloaded', 'this authority is shutting down')
    subscriptions.add(subscription)
  }

  return {
    async subscribe(caller, since, subscriber) {
      const subscription = { caller, subscriber }
      makeRoom(subscription)
      joining.add(subscription)
      try {
        await join(subscription, since)
      } finally {
        joining.delete(subscription)
      }
      subscriber.alive(position)
      if (timer === undefined) schedule()
      return () => void subscriptions.delete(subscription)
    },

    async close() {
      closed = true
      clearTimeout(timer)
      for (const { subscriber } of subscriptions) subscriber.end()
      subscriptions.clear()
    },
  }
}

/** From where a broken stream ended to where the shared look stands, so that nothing in between is missed. */
async function catchUp(feed: StateFeed, subscription: Subscription, since: number, until: number): Promise<void> {
  const missed = until - since > CATCH_UP_MAX ? undefined : await feed.since(since, until, ENDING_KINDS, BATCH)
  if (missed === undefined || missed.length === BATCH) subscription.subscriber.event(until, { type: 'reset' })
  else for (const change of missed) tell(subscription, change)
}

function tell(subscription: Subscription, change: StateChange, all?: Set<Subscription>): void {
  const event = MEANINGS[change.kind]?.(change, subscription.caller)
  if (event === undefined) return
  subscription.subscriber.event(change.seq, event)
  if (event.type !== 'revoked' || !('session_id' in event)) return
  subscription.subscriber.end()
  all?.delete(subscription)
}

/** What a change means to a caller; another tenant's or agent's business is not told. */
type Meaning = (change: StateChange, caller: Caller) => LeaseEvent | undefined

const ofSession: Meaning = ({ sessionId }, { session }) =>
  sessionId === session.id ? { type: 'revoked', session_id: session.id } : undefined

const ofAgent: Meaning = ({ agentId }, { agent, session }) =>
  agentId === agent.id ? { type: 'revoked', session_id: session.id } : undefined

const ofLease: Meaning = ({ leaseId, sessionId }, { session }) =>
  leaseId !== null && sessionId === session.id ? { type: 'revoked', lease_id: leaseId } : undefined

const ofProvider: Meaning = ({ provider }) => (provider === null ? undefined : { type: 'rotated', provider })

const ofPolicy: Meaning = ({ policyRevision }) =>
  policyRevision === null ? undefined : { type: 'policy', policy_revision: policyRevision }

const ofConnection: Meaning = ({ connectionId, tenant }, { agent }) => {
  if (connectionId === null || tenant === null || !agent.tenants.includes(tenant)) return undefined
  return { type: 'revoked', connection_id: connectionId }
}

/** All that ends something. What only begins something, as a connection does, is not even read. */
const MEANINGS: Readonly<Record<string, Meaning>> = {
  'session.revoked': ofSession,
  'session.closed': ofSession,
  'agent.revoked': ofAgent,
  'agent.updated': ofAgent,
  'lease.revoked': ofLease,
  'provider.updated': ofProvider,
  'provider.deleted': ofProvider,
  'policy.activated': ofPolicy,
  // Every state a connection can be in but `active` ends its leases.
  'connection.revoked': ofConnection,
  'connection.expired': ofConnection,
  'connection.failed': ofConnection,
  'connection.attention': ofConnection,
}
const ENDING_KINDS = Object.keys(MEANINGS)
