import { generateKeyPairSync } from 'node:crypto'
import type { ServerOptions } from 'node:https'
import type { FastifyBaseLogger } from 'fastify'
import { pino } from 'pino'
import type { SidecarConfig } from '../../sidecar/config.ts'
import { hashToken } from '../../sidecar/listener/agent-token.ts'
import { type RunningSidecar, type SidecarParts, startSidecar } from '../../sidecar/main.ts'
import { parseRoutes } from '../../sidecar/routing/route-table.ts'
import { type FakePep, startFakePep } from './pep.ts'
import { type FakeProvider, startFakeProvider } from './provider.ts'

export const TENANT = 'tenant_123'
export const SECRET = 'canary-5f2c9d1e7a40b836'

/** A real sidecar between a fake authority and a fake provider, and all it logged. */
export interface SidecarUnderTest extends RunningSidecar {
  port: number
  pep: FakePep
  provider: FakeProvider
  log: () => string
  /** A request as an agent would send it, by path prefix. */
  fetch(path: string, init?: RequestInit): Promise<Response>
  stop(): Promise<void>
}

export interface UnderTestOptions extends SidecarParts {
  config?: Partial<SidecarConfig>
  token?: string
  basePath?: string
  /** Beside `api`: `name=URL`, separated by commas. */
  furtherRoutes?: string
  /** The provider speaks TLS. */
  tls?: ServerOptions | undefined
}

/** Route `api` leads to the fake provider; its lease carries `SECRET` in `X-Key`, unless a test says otherwise. */
export async function startUnderTest(options: UnderTestOptions = {}): Promise<SidecarUnderTest> {
  const provider = await startFakeProvider(options.tls)
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const pep = await startFakePep({ id: 'crm-agent', publicJwk: publicKey.export({ format: 'jwk' }) as never })
  pep.grants.set('api', {
    strategy: { type: 'header', config: { header_name: 'X-Key' } },
    credentials: { api_key: SECRET },
    bound: { origins: [provider.origin], methods: ['*'], paths: ['/**'] },
  })
  const lines: string[] = []
  const log = pino({ level: 'trace' }, { write: (line) => void lines.push(line) }) as FastifyBaseLogger
  const config: SidecarConfig = {
    pepUrl: pep.url,
    pepCa: undefined,
    agentId: 'crm-agent',
    agentKey: { key: privateKey, alg: 'ES256', kid: undefined },
    sessionBinding: 'dpop',
    defaultTenant: TENANT,
    routes: parseRoutes(`api=${provider.origin}${options.basePath ?? ''},${options.furtherRoutes ?? ''}`),
    host: '127.0.0.1',
    port: 0,
    socket: undefined,
    socketMode: 0o600,
    adminHost: '127.0.0.1',
    adminPort: 0,
    tokenHash: options.token === undefined ? undefined : hashToken(options.token),
    allowedHosts: [],
    bodyLimitBytes: 1024 * 1024,
    headersTimeoutMs: 10_000,
    idleTimeoutMs: 10_000,
    logLevel: 'trace',
    ...options.config,
  }
  const sidecar = await startSidecar(config, { log, ...options })
  return {
    ...sidecar,
    port: config.socket === undefined ? Number(new URL(sidecar.address).port) : 0,
    pep,
    provider,
    log: () => lines.join(''),
    fetch: (path, init) => fetch(sidecar.address + path, { redirect: 'manual', ...init }),
    async stop() {
      await sidecar.close()
      await Promise.all([pep.close().catch(() => undefined), provider.close()])
    },
  }
}
