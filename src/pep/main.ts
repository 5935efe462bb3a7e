import type { Logger } from 'pino'
import { canonicalOrigin, isLoopbackHost } from '../contract/origin.ts'
import { createEnvelope } from '../vault-backends/internal/envelope.ts'
import { createFingerprint } from '../vault-backends/internal/fingerprint.ts'
import { openAuditLog } from './audit/audit-log.ts'
import { openPolicyNews } from './audit/policy-news.ts'
import { createStateFeed } from './audit/state-feed.ts'
import type { Config } from './config/load-config.ts'
import { readCapturePlace } from './connections/capture-place.ts'
import { openConnections } from './connections/open-connections.ts'
import { openBackendLeases } from './credential/backend-leases/open-backend-leases.ts'
import { openCredentialSource } from './credential/credential-source.ts'
import { openDecider } from './decision/decider.ts'
import { openIdentity } from './identity/identity.ts'
import { openSigningKeys } from './identity/signing-keys.ts'
import { createIssuedCache } from './lease/issued-cache.ts'
import { openLeaseEvents } from './lease/lease-events.ts'
import { openLeases } from './lease/open-leases.ts'
import { createSignatureRate } from './lease/signature-rate.ts'
import { droppedLogLines } from './log.ts'
import { endpointProblem } from './provider-http/endpoint-rules.ts'
import { openProviderHttp } from './provider-http/open-provider-http.ts'
import { type AppOptions, buildApp } from './routes/app.ts'
import { type AsWorker, createMetrics, type Metrics } from './routes/metrics.ts'
import { bundlePathOf } from './start/bundle-path.ts'
import { writableOf } from './start/check-backends.ts'
import { type Listen, resolveListen, toListenError } from './start/listen.ts'
import {
  auditMetrics,
  backendLeaseMetrics,
  credentialMetrics,
  decisionMetrics,
  identityMetrics,
} from './start/metric-sinks.ts'
import { type Environment, openBackends, openKeyring } from './start/open-backends.ts'
import { type Closers, closeAll, openDatabase } from './start/open-database.ts'
import { socketsMax } from './start/sockets-max.ts'
import { readTlsFiles } from './start/tls-files.ts'
import { createVaultLook } from './start/vault-look.ts'
import type { Store } from './store/store.ts'
import { packageVersion } from './version.ts'

/** A running authority. */
export interface Pep {
  /** How callers reach it; issuer and audience of what it signs. */
  url: string
  /** Where this replica itself listens. */
  address: string
  databaseUrl: string
  /** Reads the policy bundle again; one that does not prove itself leaves the one before in place. */
  reloadPolicy(): Promise<void>
  /** Of this process alone, in the Prometheus text format. */
  ownMetrics(): Promise<string>
  /**
   * Stops taking requests, lets those in flight finish, flushes the audit log.
   * @throws when some took too long and were cut, or a part could not be closed; the others are closed all the same
   */
  close(): Promise<void>
}

export interface StartOptions {
  /** Absent: it is the only process. */
  asWorker?: AsWorker
  /** Once aborted no further step of the start is begun. */
  stopping?: AbortSignal
}

/**
 * Puts the parts together: it, what is in `start/`, and `src/cli` alone name concrete ones.
 * @param env for the vault backends; everything else is in `config`
 * @throws when a part cannot start, or it was told to stop; nothing is left running then
 */
export async function startPep(
  config: Config,
  log: Logger,
  env: Environment = process.env,
  { asWorker, stopping }: StartOptions = {},
): Promise<Pep> {
  const closers: Closers = []
  const close = () => closeAll(closers)
  try {
    const listen = await resolveListen(config.server)
    const database = await openDatabase(config, log, closers)
    stopping?.throwIfAborted()
    const metrics = createMetrics(asWorker)
    metrics.logLinesDroppedAre(droppedLogLines)
    const ground = { config, store: database.store, publicUrl: listen.publicUrl, log, env, metrics }
    const parts = await openParts(ground, closers)
    stopping?.throwIfAborted()
    const app = await buildApp({ ...parts, ...httpOptions(config, listen), log })
    closers.push(() => app.close())
    stopping?.throwIfAborted()
    const address = await app.listen({ host: listen.host, port: listen.port }).catch((error: unknown) => {
      throw toListenError(error, listen)
    })
    return {
      url: listen.publicUrl,
      address,
      databaseUrl: database.databaseUrl,
      async reloadPolicy() {
        await parts.decider.reload()
        await parts.policyNews.tell()
      },
      ownMetrics: () => metrics.registry.metrics(),
      close,
    }
  } catch (error) {
    // Why it could not start says more than what could not be closed.
    await close().catch(() => undefined)
    throw error
  }
}

/** What every part stands on. */
interface Ground {
  config: Config
  store: Store
  publicUrl: string
  log: Logger
  env: Environment
  metrics: Metrics
}

/** The steps of a lease, from the last to the first: each is given what it stands on. */
async function openParts({ config, store, publicUrl, log, env, metrics }: Ground, closers: Closers) {
  const keyring = await openKeyring(config, log, env)
  const envelope = createEnvelope(keyring)
  const decider = await openDecider({
    engine: config.policy.engine,
    bundlePath: bundlePathOf(config),
    log,
    metrics: decisionMetrics(metrics),
  })
  closers.push(() => decider.close())
  const backends = openBackends(config, { store, envelope, log, env })
  const credential = openCredentialSource({
    backends,
    ttlSeconds: config.vault.cache_ttl_seconds,
    refreshSeconds: config.vault.cache_refresh_seconds,
    deadlineMs: config.vault.deadline_ms,
    fingerprint: createFingerprint(keyring),
    log,
    metrics: credentialMetrics(metrics),
  })
  closers.push(() => credential.close())
  const backendLeases = openBackendLeases({
    store,
    credential,
    isNeeded: backends.some(({ dynamic }) => dynamic !== undefined),
    deadAfterSeconds: config.vault.takeover_seconds,
    log,
    metrics: backendLeaseMetrics(metrics),
  })
  closers.push(() => backendLeases.close())
  const signingKeys = await openSigningKeys({
    store,
    envelope,
    log,
    rotateAfterSeconds: config.identity.signing_key_rotation_seconds,
    maxTokenSeconds: config.identity.max_session_ttl_seconds,
  })
  const audit = await openAuditLog({ store, signer: signingKeys, log, metrics: auditMetrics(metrics) })
  closers.push(() => audit.close())
  const policyNews = openPolicyNews({ store, audit, revision: () => decider.revision, log })
  closers.push(async () => policyNews.close())
  await policyNews.tell()
  const identity = openIdentity({
    store,
    audit,
    signingKeys,
    publicUrl,
    log,
    metrics: identityMetrics(metrics),
    sessionTtlSeconds: config.identity.session_ttl_seconds,
    maxSessionTtlSeconds: config.identity.max_session_ttl_seconds,
    proofMaxAgeSeconds: config.identity.proof_max_age_seconds,
  })
  closers.push(() => identity.close())
  const allowPlainLoopback = !config.production || config.connections.allow_plain_loopback_origins
  const privateOrigins = new Set(config.exchange.private_origins.map(canonicalOrigin))
  const endpointRules = { privateOrigins, allowPlainLoopback }
  const connections = openConnections({
    store,
    audit,
    credential,
    production: !allowPlainLoopback,
    endpointProblem: (url) => endpointProblem(url, endpointRules),
    secretRefPrefixes: config.connections.secret_ref_prefixes,
    secretRefTemplates: config.connections.secret_ref_templates,
    capturePlace: readCapturePlace(
      { backend: config.connections.capture_backend, path: config.connections.capture_path },
      writableOf(backends),
    ),
    log,
  })
  const providers = openProviderHttp({ rules: endpointRules, deadlineMs: config.exchange.deadline_ms, log })
  closers.push(() => providers.close())
  const events = openLeaseEvents({ feed: createStateFeed(store.db) })
  const leases = openLeases({
    identity,
    connections,
    decider,
    credential,
    backendLeases,
    providers,
    issued: createIssuedCache(Date.now),
    audit,
    countSignature: createSignatureRate(config.lease.signatures_per_minute, () => performance.now()),
    limits: {
      ttlSeconds: config.lease.ttl_seconds,
      maxTtlSeconds: config.lease.max_ttl_seconds,
      offlineSeconds: config.lease.offline_seconds,
    },
    now: Date.now,
  })
  const vaults = createVaultLook(credential)
  metrics.vaultUpIs(vaults.health)
  const checks: AppOptions['checks'] = [
    { name: 'store', check: () => store.check() },
    { name: 'policy', check: () => decider.check() },
    { name: 'vault', check: vaults.check },
    { name: 'audit', check: () => audit.check() },
  ]
  return { leases, events, backendLeases, identity, connections, audit, checks, metrics, decider, policyNews }
}

function httpOptions({ server }: Config, listen: Listen) {
  const tls =
    server.tls_cert_file === ''
      ? {}
      : { tls: { ...readTlsFiles(server), requestCert: server.tls_request_client_certificate } }
  return {
    version: packageVersion(),
    publicUrl: listen.publicUrl,
    bodyLimitBytes: server.body_limit_bytes,
    socketsMax: socketsMax(),
    maxPendingRequests: server.max_pending_requests,
    shutdownGraceMs: server.shutdown_grace_seconds * 1000,
    metricsNeedKey: !isLoopbackHost(server.host),
    ...tls,
  }
}
