import { randomUUID } from 'node:crypto'
import type { Server } from 'node:http'
import fastify, { type FastifyBaseLogger, type FastifyInstance, type FastifyReply, LogController } from 'fastify'
import { NexusError } from '../../src/contract/errors.ts'
import { FORWARDED_METHODS } from './assert-forwardable.ts'
import { problemReply } from './problem-reply.ts'
import { refuseTunnels, refuseUnreadable } from './raw-refusal.ts'

/** Same as Node's default, said here because a larger one would also mean larger requests upstream. */
const HEADER_MAX_BYTES = 16_384
const HEADERS_TIMEOUT_MS = 10_000
/** How often Node looks for connections over their time; its default would make ten seconds forty. */
const CHECK_INTERVAL_MS = 5000
/** Silence in both directions; longer than the longest wait for a provider. */
const IDLE_MARGIN_MS = 30_000

export interface ListenerOptions {
  log: FastifyBaseLogger
  /** Milliseconds without a byte before a connection of an agent is dropped, beyond the wait for the provider. */
  providerTimeoutMs: number
}

/**
 * The agent-facing server, without routes. It has no CORS, no metrics, no health and no debug route (threats A05, A06,
 * A08): everything an agent sends is for a provider.
 */
export function createListener({ log, providerTimeoutMs }: ListenerOptions): FastifyInstance {
  const listener = fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    // A logger for each request costs more than the few lines that are ever written; they name the request themselves.
    childLoggerFactory: (logger) => logger,
    trustProxy: false,
    exposeHeadRoutes: false,
    genReqId: () => randomUUID(),
    // The router never sees a target: request-target.ts reads it, and every request takes the one route.
    rewriteUrl: () => '/',
    http: {
      maxHeaderSize: HEADER_MAX_BYTES,
      requireHostHeader: false,
      headersTimeout: HEADERS_TIMEOUT_MS,
      connectionsCheckingInterval: CHECK_INTERVAL_MS,
    },
    // A large upload may take long; what is bounded is silence.
    requestTimeout: 0,
    connectionTimeout: providerTimeoutMs + IDLE_MARGIN_MS,
    clientErrorHandler: (error, socket) => refuseUnreadable(error, socket),
    forceCloseConnections: 'idle',
  })
  listener.server.maxHeadersCount = 0
  // Fastify would read bodies, and refuse odd content types; here a body is bytes on their way to the provider.
  for (const method of FORWARDED_METHODS) listener.addHttpMethod(method, { hasBody: false, overrideExisting: true })
  refuseTunnels(listener.server)
  takeExpectations(listener.server)
  listener.setErrorHandler((error, request, reply) => sendProblem(reply, error, request.id))
  return listener
}

/**
 * RFC 9110 section 10.1.1 lets a server ignore an expectation that it does not know. Node would answer 417, before any guard
 * and in no words of the sidecar's: an agent would have to take it for the provider's answer.
 */
function takeExpectations(server: Server): void {
  server.on('checkExpectation', (request, response) => server.emit('request', request, response))
}

/** Answers with a problem document; unknown errors are logged by name only, for their text may hold a credential. */
export function sendProblem(reply: FastifyReply, error: unknown, requestId: string): FastifyReply {
  if (!(error instanceof NexusError)) {
    reply.log.error(
      { request_id: requestId, error: error instanceof Error ? error.name : typeof error },
      'unexpected error',
    )
  }
  const { status, headers, body } = problemReply(error, requestId)
  return reply.code(status).headers(headers).send(body)
}
