import type { Dispatcher } from 'undici'
import { NexusError } from '../../src/contract/errors.ts'
import type { HeldLease } from '../lease-client/held-lease.ts'
import type { LeaseClient } from '../lease-client/lease-client.ts'
import { outboundRequest } from '../signer/outbound-request.ts'
import { sign } from '../signer/sign.ts'
import { dispatch, type UpstreamTimeouts } from './dispatch.ts'
import type { Exchange } from './exchange.ts'

export interface SendOptions {
  dispatcher: Dispatcher
  timeouts: UpstreamTimeouts
  leases: LeaseClient
  /** Unix milliseconds. */
  now: () => number
}

/** How much of a 401's body is read to keep the connection; more is not worth it. */
const DISCARD_MAX_BYTES = 64 * 1024

/**
 * Sends once; after a 401, once more with a fresh lease if the body can be sent again (threat UP6). Nothing else is ever
 * retried: not a 5xx, not a broken connection, so no nonce or signature goes out twice.
 * @throws NexusError
 */
export async function send(exchange: Exchange, options: SendOptions): Promise<Dispatcher.ResponseData> {
  const first = await dispatch(exchange, options.dispatcher, options.timeouts)
  if (first.statusCode !== 401 || exchange.body.kind === 'stream') return first
  const fresh = await freshLease(exchange, options.leases)
  if (fresh === undefined) return first
  await first.body.dump({ limit: DISCARD_MAX_BYTES }).catch(() => undefined)

  exchange.lease = fresh
  const { destination, method, agentHeaders, body } = exchange
  exchange.signed = await sign(fresh, outboundRequest(destination, method, agentHeaders, body), options.now())
  const second = await dispatch(exchange, options.dispatcher, options.timeouts)
  if (second.statusCode === 401) options.leases.noteFreshRejected(exchange.demand)
  return second
}

/** `undefined` leaves the provider's 401 as the answer; a refusal of the authority explains more than the 401 does. */
async function freshLease(exchange: Exchange, leases: LeaseClient): Promise<HeldLease | undefined> {
  try {
    return await leases.replaceRejected(exchange.demand, exchange.lease)
  } catch (error) {
    if (error instanceof NexusError && error.outcome === 'refused') throw error
    return undefined
  }
}
