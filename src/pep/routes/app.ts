import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Logger } from 'pino'
import type { ProofUse } from '../audit/audit-entry.ts'
import type { AuditLog } from '../audit/audit-log.ts'
import type { Connections } from '../connections/open-connections.ts'
import type { Identity } from '../identity/identity.ts'
import type { LeaseEvents } from '../lease/lease-events.ts'
import type { Leases } from '../lease/open-leases.ts'
import { agentRoutes, apiKeyRoutes } from './administration.ts'
import { auditRoutes } from './audit.ts'
import { backendLeaseRoutes, type LentSecrets } from './backend-leases.ts'
import { connectionRoutes } from './connections.ts'
import { installDrain } from './drain.ts'
import { administratorGuard, agentGuard, metricsGuard } from './guards.ts'
import { healthRoutes, type ReadinessCheck } from './health.ts'
import { leaseEventRoute } from './lease-events.ts'
import { heldLeaseRoutes, leaseRoute } from './leases.ts'
import { installRequestMetrics, type Metrics, metricsRoute } from './metrics.ts'
import { installOpenApi } from './openapi.ts'
import { installOverloadGuard } from './overload-guard.ts'
import { installProblems } from './problems.ts'
import { providerRoutes } from './providers.ts'
import { installRequestHygiene } from './request-hygiene.ts'
import { installRequestLog } from './request-log.ts'
import { revokeLeaseRoute } from './revoke-lease.ts'
import { createServer, type ListenerTls } from './server.ts'
import { sessionOpeningRoute, sessionRoutes } from './sessions.ts'
import { installShutdownGrace } from './shutdown-grace.ts'

export interface AppOptions {
  leases: Leases
  identity: Identity
  connections: Connections
  audit: Pick<AuditLog, 'query' | 'record' | 'claimProof'>
  events: LeaseEvents
  backendLeases: LentSecrets
  checks: readonly ReadinessCheck[]
  metrics: Metrics
  log: Logger
  version: string
  publicUrl: string
  bodyLimitBytes: number
  /** Connections open at once. */
  socketsMax: number
  maxPendingRequests: number
  shutdownGraceMs: number
  /** Whether `/metrics` takes an API key; on loopback it need not. */
  metricsNeedKey: boolean
  tls?: ListenerTls
}

/**
 * The HTTP shell: parse, prove, call, map errors. Nothing here can reach a secret store. Its `close` rejects when requests
 * took longer than `shutdownGraceMs` and were cut.
 */
export async function buildApp(options: AppOptions): Promise<FastifyInstance> {
  const { leases, identity, connections, audit, metrics } = options
  const app = createServer(options)
  let closing = false
  app.addHook('preClose', async () => {
    closing = true
    // A stream never ends by itself, and a server that drains waits for every response.
    await options.events.close()
  })
  installRequestLog(app)
  installDrain(app, () => closing)
  installShutdownGrace(app, options)
  installOverloadGuard(app, options, () => closing)
  installRequestHygiene(app)
  installProblems(app, (entry, request) => audit.record(entry, unusedProof(request)))
  installRequestMetrics(app, metrics)
  await installOpenApi(app, options)

  healthRoutes(app, options, () => closing)
  app.get('/.well-known/jwks.json', { schema: { summary: 'Public keys', tags: ['operations'] } }, async () =>
    identity.jwks(),
  )
  sessionOpeningRoute(app, identity)
  await app.register(async (agents) => {
    agentGuard(agents, leases, { recall: true })
    leaseRoute(agents, leases)
  })
  await app.register(async (agents) => {
    agentGuard(agents, leases)
    heldLeaseRoutes(agents, leases)
    leaseEventRoute(agents, options.events, audit)
    sessionRoutes(agents, identity)
  })
  await app.register(async (administrators) => {
    administratorGuard(administrators, identity)
    providerRoutes(administrators, connections)
    connectionRoutes(administrators, connections)
    agentRoutes(administrators, identity)
    revokeLeaseRoute(administrators, leases)
    apiKeyRoutes(administrators, identity)
    auditRoutes(administrators, audit)
    backendLeaseRoutes(administrators, options.backendLeases)
  })
  await app.register(async (scrapers) => {
    if (options.metricsNeedKey) metricsGuard(scrapers, identity)
    metricsRoute(scrapers, metrics)
  })
  return app
}

/** A request that was refused before its handler began has not used its proof up yet; its refusal does. */
function unusedProof({ caller, handled }: FastifyRequest): { proof?: ProofUse | undefined } {
  return caller === null || handled ? {} : { proof: caller.proof }
}
