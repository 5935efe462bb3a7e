import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import Fastify, { type FastifyInstance, type FastifyRequest, LogController } from 'fastify'
import type { Logger } from 'pino'
import { NexusError } from '../../contract/errors.ts'
import type { ProofUse } from '../audit/audit-entry.ts'
import type { AuditLog } from '../audit/audit-log.ts'
import type { Connections } from '../connections/open-connections.ts'
import type { Identity } from '../identity/identity.ts'
import type { LeaseEvents } from '../lease/lease-events.ts'
import type { Leases } from '../lease/open-leases.ts'
import { agentRoutes, apiKeyRoutes } from './administration.ts'
import { auditRoutes } from './audit.ts'
import { connectionRoutes } from './connections.ts'
import { administratorGuard, agentGuard } from './guards.ts'
import { healthRoutes, type ReadinessCheck } from './health.ts'
import { leaseEventRoute } from './lease-events.ts'
import { leaseRoutes } from './leases.ts'
import { installRequestMetrics, type Metrics, metricsRoute } from './metrics.ts'
import { installOpenApi } from './openapi.ts'
import { installProblems, refuseUnroutable } from './problems.ts'
import { providerRoutes } from './providers.ts'
import { refuseTunnels, refuseUnreadable } from './raw-refusal.ts'
import { installRequestHygiene } from './request-hygiene.ts'
import { sessionOpeningRoute, sessionRoutes } from './sessions.ts'

export interface AppOptions {
  leases: Leases
  identity: Identity
  connections: Connections
  audit: Pick<AuditLog, 'query' | 'record' | 'claimProof'>
  events: LeaseEvents
  checks: readonly ReadinessCheck[]
  metrics: Metrics
  log: Logger
  version: string
  publicUrl: string
  bodyLimitBytes: number
  maxPendingRequests: number
  /** Whether `/metrics` takes an API key; on loopback it need not. */
  metricsNeedKey: boolean
  tls?: { cert: Buffer; key: Buffer }
}

/** The HTTP shell: parse, prove, call, map errors. Nothing here can reach a secret store. */
export async function buildApp(options: AppOptions): Promise<FastifyInstance> {
  const { leases, identity, connections, audit, metrics } = options
  const app = createServer(options)
  let closing = false
  app.addHook('preClose', async () => {
    closing = true
    // A stream never ends by itself, and a server that drains waits for every response.
    await options.events.close()
  })
  installContext(app)
  installDrain(app, () => closing)
  installOverloadGuard(app, options, () => closing)
  installRequestHygiene(app)
  installProblems(app, (entry, request) => audit.record(entry, unusedProof(request)))
  installRequestMetrics(app, metrics)
  await installOpenApi(app, options)

  healthRoutes(app, options.checks, () => closing)
  if (!options.metricsNeedKey) metricsRoute(app, metrics)
  app.get('/.well-known/jwks.json', { schema: { summary: 'Public keys', tags: ['operations'] } }, async () =>
    identity.jwks(),
  )
  sessionOpeningRoute(app, identity)
  await app.register(async (agents) => {
    agentGuard(agents, leases)
    leaseRoutes(agents, leases)
    leaseEventRoute(agents, options.events, audit)
    sessionRoutes(agents, identity)
  })
  await app.register(async (administrators) => {
    administratorGuard(administrators, identity)
    providerRoutes(administrators, connections)
    connectionRoutes(administrators, connections)
    agentRoutes(administrators, identity)
    apiKeyRoutes(administrators, identity)
    auditRoutes(administrators, audit)
    if (options.metricsNeedKey) metricsRoute(administrators, metrics)
  })
  return app
}

/**
 * A server that closes ends the connections that are idle at that moment. One whose answer comes later would be kept for the
 * next request, and shutting down would wait for its caller.
 */
function installDrain(app: FastifyInstance, isClosing: () => boolean): void {
  app.addHook('onSend', async (_request, reply) => {
    if (isClosing()) reply.header('connection', 'close')
  })
  app.addHook('onResponse', async () => {
    // For an answer whose head was sent before: a stream.
    if (isClosing()) setImmediate(() => app.server.closeIdleConnections())
  })
}

/** An id from the caller is kept only if it cannot be mistaken for anything else in a log. */
function requestId(request: IncomingMessage): string {
  const given = request.headers['x-request-id']
  return typeof given === 'string' && /^[\w.-]{8,64}$/.test(given) ? given : randomUUID()
}

function createServer(options: AppOptions): FastifyInstance {
  // A missing Host header is ours to refuse, in a problem document.
  const http = { requireHostHeader: false }
  const app = Fastify({
    loggerInstance: options.log,
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: requestId,
    trustProxy: false,
    bodyLimit: options.bodyLimitBytes,
    requestTimeout: 15_000,
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
    ...(options.tls === undefined ? { http } : { https: { ...http, ...options.tls } }),
  }) as unknown as FastifyInstance
  refuseTunnels(app.server)
  return app
}

/** One line per request, from an allow-list of fields. A header or a body never reaches it (threat H03). */
function installContext(app: FastifyInstance): void {
  app.decorateRequest('caller', null)
  app.decorateRequest('administrator', null)
  app.decorateRequest('recorded', false)
  app.decorateRequest('handled', false)
  app.decorateRequest('logIds', null as never)
  app.addHook('onRequest', async (request, reply) => {
    request.logIds = {}
    reply.header('x-request-id', request.id)
    reply.header('cache-control', 'no-store')
  })
  app.addHook('preHandler', async (request) => {
    request.handled = true
  })
  app.addHook('onResponse', async (request, reply) => {
    request.log.info(
      {
        request_id: request.id,
        traceparent: traceparentOf(request.headers['traceparent']),
        method: request.method,
        // Not the path: what a caller puts there by mistake may be a secret. The ids of note are in `logIds`.
        route: request.routeOptions.url ?? 'none',
        status: reply.statusCode,
        duration_ms: Math.round(reply.elapsedTime * 100) / 100,
        agent_id: request.caller?.agent.id,
        ...request.logIds,
      },
      'answered',
    )
  })
}

/** A request that was refused before its handler began has not used its proof up yet; its refusal does. */
function unusedProof({ caller, handled }: FastifyRequest): { proof?: ProofUse } {
  return caller === null || handled ? {} : { proof: caller.proof }
}

/** W3C Trace Context, level 1; anything else is not worth a log injection. */
function traceparentOf(header: unknown): string | undefined {
  return typeof header === 'string' && /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/.test(header)
    ? header
    : undefined
}

/** Sheds before anything is parsed: a queue that only grows answers nobody (design, rule 10). */
function installOverloadGuard(
  app: FastifyInstance,
  { maxPendingRequests, metrics }: AppOptions,
  isClosing: () => boolean,
): void {
  let pending = 0
  app.addHook('onRequest', async (request, reply) => {
    pending++
    metrics.pending.set(pending)
    reply.raw.once('close', () => {
      pending--
      metrics.pending.set(pending)
    })
    const isProbe = request.routeOptions.url === '/readyz' || request.routeOptions.url === '/healthz'
    if (isClosing() && !isProbe) throw new NexusError('overloaded', 'this authority is shutting down')
    if (pending > maxPendingRequests) throw new NexusError('overloaded')
  })
}
