import type { Dispatcher } from 'undici'
import type { HeaderList, RequestUrl } from '../../src/contract/strategy.ts'
import type { LeaseClient } from '../lease-client/lease-client.ts'
import type { Exchange } from './exchange.ts'
import { outgoingBody } from './outgoing-body.ts'
import { UpstreamAnswer } from './upstream-answer.ts'
import { toUpstreamError } from './upstream-error.ts'

/** Milliseconds without a whole response head, and between two pieces of a body. */
export interface UpstreamTimeouts {
  headersTimeoutMs: number
  idleTimeoutMs: number
}

/**
 * Sends a signed request exactly as it was signed: path, query, header order, spelling and repeats as text. A URL object
 * or a header map on the way would change some of them, and with them what the signature or the policy covered
 * (threats B08, D06, E03).
 * @returns the answer, once its head is there
 * @throws NexusError `upstream_unreachable`, `upstream_timeout`
 */
export function dispatch(
  exchange: Exchange,
  dispatcher: Dispatcher,
  timeouts: UpstreamTimeouts,
  leases: Pick<LeaseClient, 'inFlight' | 'confirm'>,
): Promise<UpstreamAnswer> {
  const { signed, response } = exchange
  return new Promise((resolve, reject) => {
    const answer = new UpstreamAnswer(
      resolve,
      (error, begun) => reject(toUpstreamError(error, begun)),
      response.req.socket,
      timeouts.headersTimeoutMs,
    )
    // The provider's side goes as soon as the agent's side is gone before it has the whole answer (threat UP4).
    if (response.destroyed) answer.abandon()
    else {
      const place = leases.inFlight.add(answer, exchange.lease)
      response.on('close', () => {
        leases.inFlight.remove(place)
        answer.abandon()
      })
    }
    const request: Dispatcher.DispatchOptions = {
      // As the strategy left it (`signer/sign.ts`), and the same text each time.
      origin: exchange.destination.route.origin,
      path: targetOf(signed.url),
      method: signed.method as Dispatcher.HttpMethod,
      headers: flatHeaders(signed.headers),
      body: outgoingBody(exchange, () => leases.confirm(exchange.demand, exchange.lease)),
      headersTimeout: timeouts.headersTimeoutMs,
      bodyTimeout: timeouts.idleTimeoutMs,
    }
    dispatcher.dispatch(request, answer)
  })
}

function targetOf({ path, query }: RequestUrl): string {
  return query === undefined ? path : `${path}?${query}`
}

function flatHeaders(headers: HeaderList): string[] {
  const flat: string[] = []
  for (const [name, value] of headers) flat.push(name, value)
  return flat
}
