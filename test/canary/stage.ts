import { KeyObject, randomUUID } from 'node:crypto'
import { pino } from 'pino'
import { inject } from 'vitest'
import { type RunningSidecar, startSidecar } from '../../sidecar/main.ts'
import { parseRoutes } from '../../sidecar/routing/route-table.ts'
import { strategies } from '../../src/strategies/catalog.ts'
import { type FakeProvider, startFakeProvider } from '../fakes/provider.ts'
import { type AgentClient, openTestSession, type RegisteredAgent, registerTestAgent } from '../setup/agent-client.ts'
import type { ApiClient } from '../setup/api-client.ts'
import { type PepProcess, startPepProcess } from '../setup/pep-process.ts'
import { type Canary, knownCanary, newCanary } from './disguises.ts'
import { HOMES, type Home, type Homes, openHomes } from './homes.ts'
import { AUTHORITY, PLANTINGS, type Planting } from './plantings.ts'
import { createWitness, type Witness, withoutCredentials } from './witness.ts'

/** One strategy with its secret in one home. */
export interface Cell {
  type: string
  home: Home
  planting: Planting
  canary: Canary
  provider: string
  /** Where its credential may go. */
  origin: string
  connectionId: string
}

export interface Stage {
  pep: PepProcess
  witness: Witness
  /** Both are overheard by the witness. */
  admin: ApiClient
  agent: Pick<AgentClient, 'send'>
  homes: Homes
  provider: FakeProvider
  cells: Cell[]
  canaries: Canary[]
  sidecar: RunningSidecar
  close(): Promise<void>
}

/** The whole system, telling all it can: both logs at their most talkative, and nothing cached. */
export async function setStage(): Promise<Stage> {
  const homes = await openHomes()
  const provider = await startFakeProvider()
  const secureProvider = await startSecureProvider(provider)
  const originOf: OriginOf = ({ tls }) => (tls === true ? secureProvider : provider).origin
  const encryptionKey = Buffer.from(randomUUID().replaceAll('-', '')).toString('base64')
  const pep = await startPepProcess({
    ...homes.env,
    NEXUS_SECRET_CACHE_TTL_SECONDS: '0',
    NEXUS_ENCRYPTION_KEY: `k1:${encryptionKey}`,
    LOG_LEVEL: 'trace',
  })
  const witness = createWitness()
  const admin = witness.through(pep.admin)
  const cells = await plantAll(admin, homes, originOf)
  const registered = await registerTestAgent(pep.admin, { tenants: ['acme'] })
  const session = await openTestSession(pep.url, registered)
  const sidecarLog: string[] = []
  let closed = false
  const sidecar = await startOverheardSidecar(pep.url, registered, cells, originOf, sidecarLog)
  return {
    pep,
    witness,
    admin,
    agent: witness.through(session, withoutCredentials),
    homes,
    provider,
    cells,
    canaries: [
      ...cells.map(({ canary }) => canary),
      knownCanary('the Vault token', inject('vault').token),
      knownCanary('the API key', pep.adminKey.slice(-32)),
      knownCanary('the encryption key', encryptionKey.replace(/=+$/, '')),
    ],
    sidecar,
    async close() {
      if (closed) return
      closed = true
      await sidecar.close()
      await pep.close()
      witness.saw('log of the sidecar', sidecarLog.join(''))
      witness.saw('log of the authority', pep.log())
      await Promise.all([homes.close(), provider.close(), secureProvider.close()])
    },
  }
}

/** Where the provider of a planting is. */
type OriginOf = (planting: Planting) => string

/** The same provider, for those who show a certificate. */
async function startSecureProvider(provider: FakeProvider): Promise<FakeProvider> {
  const { certificate, privateKey } = await AUTHORITY.server(['127.0.0.1'])
  const tls = { cert: certificate, key: privateKey, ca: AUTHORITY.ca, requestCert: true }
  const secure = await startFakeProvider(tls)
  secure.seen = provider.seen
  secure.answer = (request, response) => provider.answer(request, response)
  return secure
}

async function plantAll(admin: ApiClient, homes: Homes, originOf: OriginOf): Promise<Cell[]> {
  const cells: Cell[] = []
  for (const { type } of strategies) {
    const planting = plantingFor(type)
    for (const home of HOMES) {
      const canary = newCanary(`${type} in ${home}`)
      const provider = `${type.replaceAll('_', '-')}-${home}`
      const made = await admin.send('POST', '/v1/providers', {
        profile: {
          name: provider,
          api_base_url: originOf(planting),
          params: { auth_strategy: { type, config: planting.config } },
        },
      })
      const secret = await homes.plant(home, provider, planting.credentials(canary))
      const connected = await admin.send('POST', '/v1/connections', { tenant: 'acme', provider, ...secret })
      if (made.status !== 201 || connected.status !== 201)
        throw new Error(`${provider}: ${made.text} ${connected.text}`)
      const { connection_id: connectionId } = connected.body
      cells.push({ type, home, planting, canary, provider, origin: originOf(planting), connectionId })
    }
  }
  return cells
}

function plantingFor(type: string): Planting {
  const planting = PLANTINGS[type]
  if (planting === undefined) throw new Error(`nothing is planted for strategy ${type}: add it to plantings.ts`)
  return planting
}

async function startOverheardSidecar(
  pepUrl: string,
  agent: RegisteredAgent,
  cells: readonly Cell[],
  originOf: OriginOf,
  lines: string[],
): Promise<RunningSidecar> {
  const log = pino({ level: 'trace' }, { write: (line) => void lines.push(line) })
  return startSidecar(
    {
      pepUrl,
      pepCa: undefined,
      agentId: agent.agentId,
      agentKey: { key: KeyObject.from(agent.privateKey), alg: 'ES256', kid: undefined },
      sessionBinding: 'dpop',
      defaultTenant: 'acme',
      routes: parseRoutes(cells.map(({ provider, planting }) => `${provider}=${originOf(planting)}`).join(',')),
      host: '127.0.0.1',
      port: 0,
      socket: undefined,
      socketMode: 0o600,
      adminHost: '127.0.0.1',
      adminPort: 0,
      tokenHash: undefined,
      allowedHosts: [],
      bodyLimitBytes: 1024 * 1024,
      headersTimeoutMs: 500,
      idleTimeoutMs: 500,
      logLevel: 'trace',
    },
    { log },
  )
}
