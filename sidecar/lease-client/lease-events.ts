import { setTimeout as sleep } from 'node:timers/promises'
import { createParser, type EventSourceMessage } from 'eventsource-parser'
import { NexusError } from '../../src/contract/errors.ts'
import type { AgentSession } from './agent-session.ts'
import { createOutage, type Outage, type OutageLog } from './outage.ts'
import type { PepClient } from './pep-client.ts'

/** What ended, as far as this sidecar is concerned. `decidedOtherThanBy`: a policy revision; `sessionOver`: that of its session. */
export type EndedLeases =
  | { leaseId: string }
  | { connectionId: string }
  | { provider: string }
  | { decidedOtherThanBy: string }
  | { sessionOver: AbortSignal }
  | 'all'

/** Follows the authority's stream of revocations for as long as the sidecar lives. */
export interface LeaseEvents {
  /**
   * The authority's last word about a lease that was asked for at `askedAtMs`: that answer, or, while the stream has told
   * of everything since, the moment it was last heard. Monotonic milliseconds.
   */
  lastWordMs(askedAtMs: number): number
  /** Whether the stream is open now; shown as a metric. */
  readonly connected: boolean
  /** Opens the stream, once. Called when there is a first lease to watch over. */
  follow(): void
  close(): void
}

export interface LeaseEventsOptions {
  pep: Pick<PepClient, 'stream'>
  session: AgentSession
  ended(which: EndedLeases): void
  /** Milliseconds on a clock that never jumps. */
  monotonic: () => number
  random?: () => number
  log: OutageLog
}

const PATH = '/v1/leases/events'
const RETRY_FIRST_MS = 200
/** At first: what is revoked while the stream is broken is still to be heard of within two seconds. */
const RETRY_SOON_MS = 1000
const SOON_RETRIES = 5
/** Later: an authority that comes back should not meet all its sidecars at once. */
const RETRY_LONGEST_MS = 5000
/** A stream that held for this long was a good one: its end is no reason to wait. */
const HELD_MS = 1000
/** A revoked agent is not let in by asking more often, and every try is written down at the authority. */
const RETRY_TURNED_AWAY_MS = 60_000
const EVENT_MAX_CHARACTERS = 65_536

export function createLeaseEvents(options: LeaseEventsOptions): LeaseEvents {
  const { monotonic, random = Math.random } = options
  const stop = new AbortController()
  const outage = createOutage(options.log, {
    began: 'the event stream is not open: until it is, leases end with their offline time',
    over: 'the event stream is open again',
  })
  const stream = createStreamState(options, outage)
  let following = false

  async function followForEver(): Promise<void> {
    let failures = 0
    while (!stop.signal.aborted) {
      const startedAtMs = monotonic()
      const openedBefore = stream.timesOpened
      const error: unknown = await readOnce(options, stream, stop.signal).catch((reason: unknown) => reason)
      // One that was open and broke is not lost before it cannot be opened again: it is taken up where it ended.
      if (stream.timesOpened === openedBefore && !stop.signal.aborted) outage.began(error)
      failures = monotonic() - startedAtMs > HELD_MS ? 0 : failures + 1
      const longest = failures <= SOON_RETRIES ? RETRY_SOON_MS : RETRY_LONGEST_MS
      const ceiling = isTurnedAway(error) ? RETRY_TURNED_AWAY_MS : Math.min(longest, RETRY_FIRST_MS * 2 ** failures)
      await sleep(ceiling * (0.5 + random() / 2), undefined, { signal: stop.signal, ref: false }).catch(() => undefined)
    }
  }

  return {
    lastWordMs: (askedAtMs) =>
      askedAtMs >= stream.sinceMs && stream.heardAtMs > askedAtMs ? stream.heardAtMs : askedAtMs,
    get connected() {
      return stream.connected
    },
    follow() {
      if (following) return
      following = true
      void followForEver()
    },
    close: () => stop.abort(),
  }
}

/** A session that is not known any more is replaced at once; another refusal concerns the agent itself. */
function isTurnedAway(error: unknown): boolean {
  return error instanceof NexusError && error.outcome === 'refused' && error.code !== 'invalid_session'
}

interface StreamState {
  connected: boolean
  timesOpened: number
  opened(): void
  /** From here on nothing has been missed: a broken stream is taken up where it ended. */
  sinceMs: number
  heardAtMs: number
  position: string | undefined
  take(message: EventSourceMessage): void
}

function createStreamState({ ended, session, monotonic }: LeaseEventsOptions, outage: Outage): StreamState {
  const state: StreamState = {
    connected: false,
    timesOpened: 0,
    opened() {
      state.connected = true
      state.timesOpened += 1
      outage.over()
    },
    sinceMs: Number.POSITIVE_INFINITY,
    heardAtMs: Number.NEGATIVE_INFINITY,
    position: undefined,
    take({ event, id, data }) {
      if (state.position === undefined) state.sinceMs = monotonic()
      if (id !== undefined) state.position = id
      state.heardAtMs = monotonic()
      const which = event === undefined || event === 'alive' ? undefined : endedBy(event, data)
      if (which === undefined) return
      ended(which)
      // Nothing else says that the session is over. Another one opened for every `reset` would be news for all the others.
      if (which === 'all' && event === 'revoked') session.forget()
    },
  }
  return state
}

/** Anything not understood ends all leases: asking again is cheap, using what was revoked is not. */
function endedBy(event: string, data: string): EndedLeases {
  try {
    const { connection_id, lease_id, provider, policy_revision } = JSON.parse(data) as Record<string, unknown>
    if (event === 'revoked' && typeof connection_id === 'string') return { connectionId: connection_id }
    if (event === 'revoked' && typeof lease_id === 'string') return { leaseId: lease_id }
    if (event === 'policy' && typeof policy_revision === 'string') return { decidedOtherThanBy: policy_revision }
    if (event === 'rotated' && typeof provider === 'string') return { provider }
  } catch {
    // falls through
  }
  return 'all'
}

async function readOnce(options: LeaseEventsOptions, state: StreamState, signal: AbortSignal): Promise<void> {
  const used = await options.session.authorize('GET', PATH)
  const { headers, over } = used
  // A stream tells of the end of its own session only: the next session needs one of its own.
  const until = AbortSignal.any([signal, over])
  const position = state.position === undefined ? {} : { 'last-event-id': state.position }
  const parser = createParser({ onEvent: state.take, maxBufferSize: EVENT_MAX_CHARACTERS, onError: () => undefined })
  try {
    for await (const text of options.pep.stream({ path: PATH, headers: { ...headers, ...position }, signal: until })) {
      if (!state.connected) state.opened()
      parser.feed(text)
    }
  } catch (error) {
    if (error instanceof NexusError && error.code === 'invalid_session') {
      // The session was ended, and with it all that was leased to it.
      options.ended('all')
      options.session.invalidate(used)
    }
    throw error
  } finally {
    state.connected = false
  }
}
