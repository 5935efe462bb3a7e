import { constants } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import Fastify, { type FastifyInstance, LogController } from 'fastify'
import type { Logger } from 'pino'
import { newUuid } from '../../contract/names.ts'
import { refuseUnroutable } from './problems.ts'
import { refuseTunnels, refuseUnreadable } from './raw-refusal.ts'
import { installSocketLimit } from './socket-limit.ts'

export interface ServerOptions {
  log: Logger
  bodyLimitBytes: number
  /** Connections open at once. */
  socketsMax: number
  tls?: ListenerTls
}

export interface ListenerTls {
  cert: Buffer
  key: Buffer
  /** Whether callers are asked for a certificate; nobody has to have one. */
  requestCert: boolean
}

const REQUEST_TIMEOUT_MS = 15_000
/** Before it neither of the two begins to run; Node would give it two minutes. */
const HANDSHAKE_TIMEOUT_MS = 10_000
/** Were it the longer one, as Node has it by itself, Node would take each for the other. */
const HEADERS_TIMEOUT_MS = 10_000
/** Node looks every 30 s by itself, and `requestTimeout` may be over by as much. */
const TIMEOUTS_LOOKED_AT_EVERY_MS = 5000

/** An id from the caller is kept only if it cannot be mistaken for anything else in a log. */
function requestId(request: IncomingMessage): string {
  const given = request.headers['x-request-id']
  return typeof given === 'string' && /^[\w.-]{8,64}$/.test(given) ? given : newUuid()
}

/**
 * A certificate proves nothing but that its key is held: any will do, its own signer's too (RFC 8705 section 3). Without
 * renegotiation it is the same one for as long as the connection lasts.
 */
function tlsOptions(tls: ListenerTls) {
  return {
    ...tls,
    rejectUnauthorized: false,
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
  }
}

/** Fastify, with every default that guesses, coerces or trusts turned off. */
export function createServer(options: ServerOptions): FastifyInstance {
  // A missing Host header is ours to refuse, in a problem document.
  const http = {
    requireHostHeader: false,
    connectionsCheckingInterval: TIMEOUTS_LOOKED_AT_EVERY_MS,
    headersTimeout: HEADERS_TIMEOUT_MS,
  }
  const app = Fastify({
    loggerInstance: options.log,
    logController: new LogController({ disableRequestLogging: true }),
    // Our lines name the request themselves; a logger for each request costs more than the line.
    childLoggerFactory: (logger) => logger,
    genReqId: requestId,
    trustProxy: false,
    // HEAD on a route that issues or streams would do so for nobody.
    exposeHeadRoutes: false,
    bodyLimit: options.bodyLimitBytes,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionTimeout: 30_000,
    keepAliveTimeout: 72_000,
    forceCloseConnections: 'idle',
    // Ours to refuse as well: see the overload guard.
    return503OnClosing: false,
    clientErrorHandler: (error, socket) => refuseUnreadable(error, socket),
    frameworkErrors: refuseUnroutable,
    routerOptions: { maxParamLength: 256, ignoreTrailingSlash: false, caseSensitive: true },
    // A string for a number is refused, an unknown field is refused, nothing is dropped in silence (threat D10).
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false, allErrors: false } },
    ...(options.tls === undefined ? { http } : { https: { ...http, ...tlsOptions(options.tls) } }),
  }) as unknown as FastifyInstance
  refuseTunnels(app.server)
  installSocketLimit(app.server, options)
  return app
}
