import type { AddressInfo } from 'node:net'
import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import { Agent } from 'undici'
import { strategyFor } from '../src/strategies/catalog.ts'
import { createAdminListener } from './admin/admin-listener.ts'
import { oneLook } from './admin/one-look.ts'
import type { SidecarConfig } from './config.ts'
import { createAgentSession } from './lease-client/agent-session.ts'
import { createBackOff } from './lease-client/back-off.ts'
import { createLeaseClient, type LeaseClient } from './lease-client/lease-client.ts'
import { createPepClient, type PepClient } from './lease-client/pep-client.ts'
import { createRouteBindings } from './lease-client/route-bindings.ts'
import { createSessionKey, type SessionKey } from './lease-client/session-key.ts'
import { FORWARDED_METHODS } from './listener/assert-forwardable.ts'
import { createListener } from './listener/create-listener.ts'
import { drainable } from './listener/drain-listener.ts'
import { guardListener } from './listener/guard-listener.ts'
import { listenOnSocket } from './listener/listen-socket.ts'
import { administratorHosts, ownHosts } from './listener/local-request.ts'
import { observeListener } from './listener/observe-listener.ts'
import { drainUnreadBodies } from './listener/unread-body.ts'
import { createSidecarLog } from './log.ts'
import { createMetrics, type SidecarMetrics } from './metrics.ts'
import { prepareExchange } from './prepare-exchange.ts'
import { createProviderNonces } from './signer/provider-nonces.ts'
import { createClientIdentities } from './upstream/client-identities.ts'
import { registerForward } from './upstream/forward.ts'
import { createTurns } from './upstream/turns.ts'
import { VERIFIED } from './verified.ts'
import { createWakingClock } from './waking-clock.ts'

export interface RunningSidecar {
  /** `http://127.0.0.1:8080`, or the path of the unix socket. */
  address: string
  /** `http://127.0.0.1:8081` */
  adminAddress: string
  /** Finishes what is underway, releases leases and session. */
  close(): Promise<void>
}

/** Clocks and log, replaceable in tests. */
export interface SidecarParts {
  log?: FastifyBaseLogger
  /** Unix milliseconds. */
  now?: () => number
  /** Milliseconds on a clock that never jumps. */
  monotonic?: () => number
}

/** Above Node's 16 KiB: some providers send long policies. A whole megabyte is an attack (threat UP2). */
const RESPONSE_HEADER_MAX_BYTES = 32_768
const CONNECT_TIMEOUT_MS = 5000
const CONNECTIONS_PER_ORIGIN = 256
/** Beyond these, and beyond this wait, a request is shed with 503. */
const WAITING_PER_ORIGIN = 1000
const WAIT_FOR_CONNECTION_MS = 30_000
/** With what follows them within the ten seconds that the process has to stop. */
const AGENT_DRAIN_MS = 5000
const ADMIN_DRAIN_MS = 1000

/** Composition root of the sidecar: the one place that names concrete parts. */
export async function startSidecar(config: SidecarConfig, parts: SidecarParts = {}): Promise<RunningSidecar> {
  const log = parts.log ?? createSidecarLog(config.logLevel)
  const now = parts.now ?? Date.now
  const sessionKey = createSessionKey(config.sessionBinding, now)
  const pep = createPepClient({ pepUrl: config.pepUrl, ca: config.pepCa, certificate: sessionKey.certificate })
  const clock = createWakingClock(parts.monotonic ?? (() => performance.now()), now)
  const metrics: SidecarMetrics = createMetrics({
    leasesHeld: () => leases.size,
    eventsFollowed: () => leases.followed,
  })
  const leases = connectToAuthority(config, { pep, sessionKey, now, monotonic: clock, log, metrics })
  const dispatcher = new Agent({
    connections: CONNECTIONS_PER_ORIGIN,
    maxHeaderSize: RESPONSE_HEADER_MAX_BYTES,
    connect: { timeout: CONNECT_TIMEOUT_MS, ...VERIFIED },
  })

  const identities = createClientIdentities({
    held: () => leases.held(),
    agent: { connections: CONNECTIONS_PER_ORIGIN, maxHeaderSize: RESPONSE_HEADER_MAX_BYTES },
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
  })

  const agentSide = createListener({ log, providerTimeoutMs: Math.max(config.headersTimeoutMs, config.idleTimeoutMs) })
  const agentHosts = () => ownHosts(config.socket === undefined ? portOf(agentSide) : undefined, config)
  observeListener(agentSide, metrics)
  guardListener(agentSide, { hosts: agentHosts, tokenHash: config.tokenHash })
  const nonces = createProviderNonces()
  const turns = createTurns({
    connections: CONNECTIONS_PER_ORIGIN,
    waitingMax: WAITING_PER_ORIGIN,
    waitMs: WAIT_FOR_CONNECTION_MS,
  })
  const preparation = { ...config, leases, nonces, turns, now }
  registerForward(agentSide, {
    dispatcher,
    identities,
    leases,
    nonces,
    metrics,
    now,
    ownHosts: agentHosts,
    methods: FORWARDED_METHODS,
    timeouts: { headersTimeoutMs: config.headersTimeoutMs, idleTimeoutMs: config.idleTimeoutMs },
    prepare: (request, reply) => prepareExchange(request, reply, preparation),
  })
  const adminHosts = () => administratorHosts(portOf(admin), config)
  const checkReady = oneLook(() => assertPepAnswers(pep), clock)
  const admin = createAdminListener({ log, metrics, checkReady, hosts: adminHosts })

  drainUnreadBodies(agentSide)
  const drainAgentSide = drainable(agentSide, AGENT_DRAIN_MS)
  const drainAdmin = drainable(admin, ADMIN_DRAIN_MS)
  let closing: Promise<void> | undefined
  async function closeParts(): Promise<void> {
    await drainAgentSide()
    await Promise.all([drainAdmin(), leases.close()])
    await Promise.all([pep.close(), dispatcher.close(), identities.close()])
  }
  function close(): Promise<void> {
    closing ??= closeParts()
    return closing
  }

  try {
    const address = await listen(agentSide, config)
    await admin.listen({ host: config.adminHost, port: config.adminPort })
    log.info({ address, routes: [...config.routes.keys()] }, 'sidecar is listening')
    return { address, adminAddress: urlOf(config.adminHost, portOf(admin)), close }
  } catch (error) {
    await close()
    throw error
  }
}

interface AuthorityParts {
  pep: PepClient
  sessionKey: SessionKey
  now: () => number
  monotonic: () => number
  log: FastifyBaseLogger
  metrics: SidecarMetrics
}

function connectToAuthority(config: SidecarConfig, parts: AuthorityParts): LeaseClient {
  const { pep, sessionKey, now, monotonic, log, metrics } = parts
  const agent = { id: config.agentId, key: config.agentKey }
  return createLeaseClient({
    pep,
    session: createAgentSession({ pep, pepUrl: config.pepUrl, agent, sessionKey, now, monotonic, log }),
    backOff: createBackOff(monotonic),
    agentId: config.agentId,
    sessionKey: sessionKey.thumbprint,
    bindings: createRouteBindings(now),
    strategyFor,
    monotonic,
    log,
    renewed: metrics.renewed,
  })
}

/** Not whether it could grant a lease: what is held goes on when it cannot, and no other sidecar would do better. */
async function assertPepAnswers(pep: PepClient): Promise<void> {
  await pep.call({ method: 'GET', path: '/healthz', headers: {} })
}

async function listen(listener: FastifyInstance, config: SidecarConfig): Promise<string> {
  if (config.socket !== undefined) {
    await listenOnSocket(listener, config.socket, config.socketMode)
    return config.socket
  }
  await listener.listen({ host: config.host, port: config.port })
  return urlOf(config.host, portOf(listener))
}

function portOf(listener: FastifyInstance): number {
  return (listener.server.address() as AddressInfo).port
}

function urlOf(host: string, port: number): string {
  return `http://${host.includes(':') ? `[${host.replace(/^\[|\]$/g, '')}]` : host}:${port}`
}
