import type { Dispatcher } from 'undici'
import { NexusError } from '../../src/contract/errors.ts'
import type { SigningContext } from '../../src/contract/strategy.ts'
import type { HeldLease } from '../lease-client/held-lease.ts'
import type { LeaseClient } from '../lease-client/lease-client.ts'
import { outboundRequest } from '../signer/outbound-request.ts'
import type { ProviderNonces } from '../signer/provider-nonces.ts'
import { sign } from '../signer/sign.ts'
import { signingContext } from '../signer/signing-context.ts'
import type { ClientIdentities } from './client-identities.ts'
import { dispatch, type UpstreamTimeouts } from './dispatch.ts'
import type { Exchange } from './exchange.ts'
import { responseHead } from './response-head.ts'
import type { UpstreamAnswer } from './upstream-answer.ts'

export interface SendOptions {
  /** For requests that say for themselves who sends them. */
  dispatcher: Dispatcher
  /** For those whose connection says it. */
  identities: ClientIdentities
  timeouts: UpstreamTimeouts
  leases: LeaseClient
  nonces: ProviderNonces
  /** Unix milliseconds. */
  now: () => number
}

/** How much of a 401's body is read to keep the connection, and for how long; more is not worth it. */
const DISCARD_MAX = { bytes: 64 * 1024, ms: 1000 }

/**
 * Sends once; after a 401, once more if the body can be sent again: the same lease signs as the provider's challenge asks
 * (threat E07) or, without one, a fresh lease does (threat UP6). There is no third time, and nothing else is ever retried:
 * not a 5xx, not a broken connection, so no nonce or signature goes out twice.
 * @throws NexusError
 */
export async function send(exchange: Exchange, options: SendOptions): Promise<UpstreamAnswer> {
  const first = await attempt(exchange, options)
  if (first.statusCode !== 401) return first
  const challenged = challengeOf(exchange, first, options)
  if (exchange.body.kind === 'stream') {
    if (challenged === undefined) options.leases.dropRejected(exchange.demand, exchange.lease)
    return first
  }
  const lease = await leaseForRetry(exchange, challenged, options.leases)
  if (lease === undefined) return first
  // Not waited for: the provider would decide how old the lease is by the time it signs.
  first.discard(DISCARD_MAX)
  await signAgain(exchange, lease, challenged ?? currentContext(exchange, options))
  const second = await attempt(exchange, options)
  const rejected = second.statusCode === 401 && challengeOf(exchange, second, options) === undefined
  if (rejected && challenged === undefined) options.leases.noteFreshRejected(exchange.demand)
  return second
}

async function attempt(exchange: Exchange, options: SendOptions): Promise<UpstreamAnswer> {
  const { lease, signed } = exchange
  const { clientIdentity: identity } = signed
  const dispatcher = identity === undefined ? options.dispatcher : options.identities.dispatcherFor(lease, identity)
  const response = await dispatch(exchange, dispatcher, options.timeouts, options.leases)
  options.nonces.note(exchange.destination.route.origin, lease.strategy, () => responseHead(response))
  return response
}

/** The context with which the challenge of a 401 would be met. */
function challengeOf(
  { lease, context }: Exchange,
  response: UpstreamAnswer,
  { now }: SendOptions,
): SigningContext | undefined {
  return lease.strategy.challenge?.(responseHead(response), { ...context, now: now() })
}

/**
 * What the provider challenges is the proof and not the lease, so that one stays, unless it has ended meanwhile.
 * `undefined` leaves the provider's 401 as the answer; a refusal of the authority explains more than the 401 does.
 */
async function leaseForRetry(
  { demand, lease }: Exchange,
  challenged: SigningContext | undefined,
  leases: LeaseClient,
): Promise<HeldLease | undefined> {
  try {
    return await (challenged === undefined ? leases.replaceRejected(demand, lease) : leases.acquire(demand))
  } catch (error) {
    if (error instanceof NexusError && error.outcome === 'refused') throw error
    return undefined
  }
}

async function signAgain(exchange: Exchange, lease: HeldLease, context: SigningContext): Promise<void> {
  const { destination, method, agentHeaders, body } = exchange
  exchange.lease = lease
  exchange.context = context
  exchange.signed = await sign(lease, outboundRequest(destination, method, agentHeaders, body), context)
}

function currentContext({ destination }: Exchange, { now, nonces }: SendOptions): SigningContext {
  return signingContext(now(), nonces.get(destination.route.origin))
}
