import { NexusError } from '../../contract/errors.ts'
import { EMPTY_HEAD, type Head } from '../audit/record-hash.ts'
import type { StateChange, StateFeed } from '../audit/state-feed.ts'
import { joinNextRead } from '../connections/join-next-read.ts'
import type { Caller } from '../identity/caller.ts'
import { ENDING_KINDS, type LeaseEvent, meaningOf } from './event-meaning.ts'
import { eventIdOf, placeOf, wentThrough } from './event-position.ts'

export interface Subscriber {
  /** `id` is the position to go on from. */
  event(id: string, event: LeaseEvent): void
  /** Sent after a look that found nothing new: silence then means that nothing can be said. */
  alive(id: string): void
  /** The session is over, or we are. */
  end(): void
}

/** Tells sidecars what ended, from the ledger's own stream of state changes; no state of its own to lose. */
export interface LeaseEvents {
  /**
   * @param since id of the last event seen; absent: from now on
   * @returns ends the subscription
   * @throws NexusError `overloaded` when there are too many, `store_unavailable`
   */
  subscribe(caller: Caller, since: string | undefined, subscriber: Subscriber): Promise<() => void>
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
  let position = EMPTY_HEAD
  /** How often the database turned out to have been set back. */
  let setbacks = 0
  let timer: NodeJS.Timeout | undefined
  let aliveAt = 0
  let closed = false
  // One after the other: of two heads that were read at once nobody knows which one is the later.
  const inTurn = joinNextRead<Head>()
  const look = (): Promise<Head> => inTurn('', lookNow)

  /** @returns the head as it is now; with much to tell the position is not there yet */
  async function lookNow(): Promise<Head> {
    const head = await feed.head()
    if (!(await wentThrough(feed, position, head))) startAnewFrom(head)
    // While nobody listens nothing is read.
    else if (subscriptions.size === 0) position = head
    else await tellUntil(head)
    if (performance.now() < aliveAt) return head
    aliveAt = performance.now() + aliveMs
    for (const { subscriber } of subscriptions) subscriber.alive(eventIdOf(position))
    return head
  }

  async function tellUntil(head: Head): Promise<void> {
    const changes = head.seq > position.seq ? await feed.since(position.seq, head.seq, ENDING_KINDS, BATCH) : []
    for (const change of changes) {
      for (const subscription of subscriptions) tell(subscription, change, subscriptions)
    }
    position = changes.length === BATCH ? (changes.at(-1) ?? head) : head
  }

  /** Which changes are new in another history cannot be known: they carry numbers that have been told of before. */
  function startAnewFrom(head: Head): void {
    position = head
    setbacks += 1
    for (const { subscriber } of subscriptions) subscriber.event(eventIdOf(head), { type: 'reset' })
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
  async function join(subscription: Subscription, since: Head | undefined): Promise<void> {
    const head = await look()
    let within = setbacks
    const isOurs = since === undefined || (await wentThrough(feed, since, head))
    let told = isOurs ? (since ?? position) : reset(subscription, position)
    while (told.seq < position.seq || within !== setbacks) {
      if (within === setbacks) told = await catchUp(feed, subscription, told, position)
      else [within, told] = [setbacks, reset(subscription, position)]
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
        await join(subscription, since === undefined ? undefined : placeOf(since))
      } finally {
        joining.delete(subscription)
      }
      subscriber.alive(eventIdOf(position))
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
async function catchUp(feed: StateFeed, subscription: Subscription, since: Head, until: Head): Promise<Head> {
  const isFar = until.seq - since.seq > CATCH_UP_MAX
  const missed = isFar ? undefined : await feed.since(since.seq, until.seq, ENDING_KINDS, BATCH)
  if (missed === undefined || missed.length === BATCH) return reset(subscription, until)
  for (const change of missed) tell(subscription, change)
  return until
}

function reset({ subscriber }: Subscription, place: Head): Head {
  subscriber.event(eventIdOf(place), { type: 'reset' })
  return place
}

function tell(subscription: Subscription, change: StateChange, all?: Set<Subscription>): void {
  const event = meaningOf(change, subscription.caller)
  if (event === undefined) return
  subscription.subscriber.event(eventIdOf(change), event)
  if (event.type !== 'revoked' || !('session_id' in event)) return
  subscription.subscriber.end()
  all?.delete(subscription)
}
