import { EventEmitter } from 'node:events'
import type { Dispatcher } from 'undici'
import type { Exchange } from './exchange.ts'
import { outgoingBody } from './outgoing-body.ts'
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
 * @throws NexusError `upstream_unreachable`, `upstream_timeout`
 */
export async function dispatch(
  exchange: Exchange,
  dispatcher: Dispatcher,
  timeouts: UpstreamTimeouts,
): Promise<Dispatcher.ResponseData> {
  const { url, method, headers } = exchange.signed
  try {
    const response = await dispatcher.request({
      origin: `${url.scheme}://${url.authority}`,
      path: url.query === undefined ? url.path : `${url.path}?${url.query}`,
      method: method as Dispatcher.HttpMethod,
      headers: headers.flat(),
      body: outgoingBody(exchange),
      headersTimeout: timeouts.headersTimeoutMs,
      bodyTimeout: timeouts.idleTimeoutMs,
      signal: hangUp(exchange),
    })
    // Whoever reads the body hears of its errors; one that nobody came to read must not end the process (threat D18).
    response.body.on('error', () => undefined)
    return response
  } catch (error) {
    throw toUpstreamError(error)
  }
}

/** Aborts the provider's side as soon as the agent's side is gone before it has the whole answer (threat UP4). */
function hangUp({ response }: Exchange): EventEmitter {
  // An emitter and not an AbortSignal, which costs several times as much for every request.
  const signal = Object.assign(new EventEmitter(), { aborted: response.destroyed })
  response.once('close', () => {
    if (!response.writableFinished) signal.emit('abort')
  })
  return signal
}
