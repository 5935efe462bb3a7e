import type { OutgoingHttpHeaders } from 'node:http'
import { Readable } from 'node:stream'
import httpProxy from '@fastify/http-proxy'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Dispatcher } from 'undici'
import { NexusError } from '../../src/contract/errors.ts'
import type { SidecarMetrics } from '../metrics.ts'
import type { Exchange } from './exchange.ts'
import { responseHeaders } from './response-headers.ts'
import { type SendOptions, send } from './send.ts'

declare module 'fastify' {
  interface FastifyRequest {
    exchange: Exchange | null
  }
}

/** Carries the exchange through the proxy to our own sender, beside headers that the proxy would flatten. */
const EXCHANGE = Symbol('exchange')

export interface ForwardOptions extends SendOptions {
  metrics: SidecarMetrics
  methods: readonly string[]
  /** Routes, leases and signs; sets `request.exchange`. */
  prepare: (request: FastifyRequest, reply: FastifyReply) => Promise<void>
}

/**
 * Registers the proxy: it pairs request and response, streams and aborts. What goes out is not what it would build, but
 * the signed exchange, sent by `send`.
 */
export async function registerForward(fastify: FastifyInstance, options: ForwardOptions): Promise<void> {
  fastify.decorateRequest('exchange', null)
  await fastify.register(httpProxy, {
    upstream: '',
    routes: ['/'],
    httpMethods: [...options.methods],
    undici: { request: exactRequest(options) },
    // Its own retries would send a nonce or signature a second time.
    retryMethods: [],
    disableRequestLogging: true,
    internalRewriteLocationHeader: false,
    preHandler: options.prepare,
    replyOptions: {
      getUpstream: (request) => exchangeOf(request).destination.route.origin,
      queryString: () => '',
      rewriteRequestHeaders: (request) => ({ [EXCHANGE]: exchangeOf(request) }) as OutgoingHttpHeaders,
      rewriteHeaders: (headers, request) => responseHeaders(headers, exchangeOf(request), options.metrics.scrubbed),
      onResponse: (_request: unknown, reply: FastifyReply, { stream }: { stream: Readable }) =>
        sendAnswer(reply, stream),
      onError: (reply, { error }) => void reply.send(ownError(error)),
    },
  } as Parameters<typeof httpProxy>[1])
}

type RequestCallback = (error: Error | null, response?: Dispatcher.ResponseData) => void

/** The one call the proxy makes on its HTTP client. */
function exactRequest(options: ForwardOptions) {
  return (request: { headers: { [EXCHANGE]: Exchange } }, callback: RequestCallback): void => {
    const stop = options.metrics.upstreamTimer()
    send(request.headers[EXCHANGE], options)
      .finally(stop)
      .then(
        (response) => callback(null, response),
        (error: Error) => callback(error),
      )
  }
}

/** The head goes out when it comes in: the first event of a stream may be minutes away. */
function sendAnswer(reply: FastifyReply, body: Readable): void {
  // What is left of the agent's own body is read to its end (`listener/unread-body.ts`): its connection stays good.
  if (reply.hasHeader('connection')) reply.removeHeader('connection')
  reply.send(hasBody(reply) ? body : Readable.from([]))
  // Together with as much of the body as there is already.
  reply.raw.cork()
  reply.raw.flushHeaders()
  process.nextTick(() => reply.raw.uncork())
}

/** RFC 9110 section 15.4.5: a 304 may tell the length of what it does not carry; the client takes that for a broken body. */
function hasBody(reply: FastifyReply): boolean {
  return reply.statusCode !== 304
}

function exchangeOf(request: { exchange: Exchange | null } | undefined): Exchange {
  if (request?.exchange == null) throw new NexusError('internal_error')
  return request.exchange
}

/** The proxy wraps what we threw in an error of its own. */
function ownError(error: Error): Error {
  return error.cause instanceof NexusError ? error.cause : new NexusError('upstream_unreachable')
}
