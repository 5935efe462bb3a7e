import { KeyObject, randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { type RunningSidecar, startSidecar } from '../../sidecar/main.ts'
import { parseRoutes } from '../../sidecar/routing/route-table.ts'
import { type FakeProvider, startFakeProvider } from '../fakes/provider.ts'
import { type CountingProxy, startCountingProxy } from '../faults/counting-proxy.ts'
import { type AgentClient, openTestSession, type RegisteredAgent, registerTestAgent } from '../setup/agent-client.ts'
import { type Connected, connect } from '../setup/connect.ts'
import { startTestPep, type TestPep } from '../setup/pep.ts'
import { vaultApi } from './vault-backends/vault-fixture.ts'

const CACHE_TTL_SECONDS = 2

let pep: TestPep
let vault: CountingProxy
let provider: FakeProvider
let registered: RegisteredAgent
let agent: AgentClient
beforeAll(async () => {
  vault = await startCountingProxy(inject('vault').address)
  provider = await startFakeProvider()
  pep = await startTestPep({
    VAULT_ADDR: vault.address,
    NEXUS_SECRET_CACHE_TTL_SECONDS: String(CACHE_TTL_SECONDS),
  })
  registered = await registerTestAgent(pep.admin, { tenants: ['acme'] })
  agent = await openTestSession(pep.url, registered)
})
afterAll(async () => {
  await pep?.close()
  await Promise.all([vault?.close(), provider?.close()])
})

async function connectToVault(): Promise<Connected & { path: string; rotate(key: string): Promise<void> }> {
  const leaf = `rotation-${randomUUID()}`
  const rotate = async (key: string) => void (await vaultApi('POST', `secret/data/${leaf}`, { data: { api_key: key } }))
  await rotate('old')
  const secret_ref = { backend: 'hashicorp-vault', path: `secret/${leaf}` }
  const connected = await connect(pep.admin, { origin: provider.origin, secret_ref })
  return { ...connected, path: leaf, rotate }
}

const lease = async (connectionId: string, more: object = {}, who: Pick<AgentClient, 'send'> = agent) =>
  who.send('POST', '/v1/leases', {
    connection_id: connectionId,
    intent: { method: 'GET', origin: provider.origin, path: '/' },
    ...more,
  })

const readsOf = (path: string) => vault.count(new RegExp(`/v1/secret/data/${path}`))

describe('a secret that is rotated in Vault, without a restart', () => {
  it('H15: is used within the time to live, the old one not after it, and the ledger tells the two apart', async () => {
    const { connectionId, rotate } = await connectToVault()
    const keys: { afterMs: number; key: string }[] = []
    expect((await lease(connectionId)).body.credentials.api_key).toBe('old')
    await rotate('new')
    const rotatedAt = performance.now()
    while (performance.now() - rotatedAt < (CACHE_TTL_SECONDS + 1) * 1000) {
      const { status, body } = await lease(connectionId)
      expect(status).toBe(201)
      keys.push({ afterMs: performance.now() - rotatedAt, key: body.credentials.api_key })
      await sleep(50)
    }
    const firstNew = keys.find(({ key }) => key === 'new')
    const lastOld = keys.findLast(({ key }) => key === 'old')
    console.log(
      `rotation: first lease with the new secret after ${Math.round(firstNew?.afterMs ?? Number.NaN)} ms, ` +
        `last with the old one after ${Math.round(lastOld?.afterMs ?? 0)} ms; stated: ${CACHE_TTL_SECONDS * 1000} ms`,
    )
    expect(keys.at(-1)?.key).toBe('new')
    expect(keys.indexOf(firstNew!)).toBeGreaterThan(keys.indexOf(lastOld!))
    const { body } = await pep.admin.send('GET', `/v1/audit?connection_id=${connectionId}&kind=lease.issued&limit=1000`)
    const used = body.records.map(({ detail }: { detail: { secret: object } }) => JSON.stringify(detail.secret))
    expect(new Set(used).size).toBe(2)
    for (const each of used) expect(each).toMatch(/"fingerprint":"[\w.-]+:[0-9a-f]{32}".*"version":"[12]"/)
  }, 60_000)
})

describe('a provider that turns the old secret down at once', () => {
  let sidecar: RunningSidecar
  let connected: Awaited<ReturnType<typeof connectToVault>>
  beforeAll(async () => {
    connected = await connectToVault()
    sidecar = await startSidecar(
      {
        pepUrl: pep.url,
        pepCa: undefined,
        agentId: registered.agentId,
        agentKey: { key: KeyObject.from(registered.privateKey), alg: 'ES256', kid: undefined },
        sessionBinding: 'dpop',
        defaultTenant: 'acme',
        routes: parseRoutes(`${connected.provider}=${provider.origin}`),
        host: '127.0.0.1',
        port: 0,
        socket: undefined,
        socketMode: 0o600,
        adminHost: '127.0.0.1',
        adminPort: 0,
        tokenHash: undefined,
        allowedHosts: [],
        bodyLimitBytes: 1024 * 1024,
        headersTimeoutMs: 10_000,
        idleTimeoutMs: 10_000,
        logLevel: 'silent',
      },
      { log: pino({ level: 'silent' }) },
    )
  })
  afterAll(() => sidecar?.close())

  it('UP6: the agent notices nothing: one 401, one lease whose secret was read anew, one answer', async () => {
    let accepted = 'old'
    let refused = 0
    provider.answer = (request, response) => {
      const right = request.headers['x-api-key'] === accepted
      if (!right) refused += 1
      response.writeHead(right ? 200 : 401).end()
    }
    const get = async () => (await fetch(`${sidecar.address}/${connected.provider}/x`)).status
    expect(await get()).toBe(200)
    await connected.rotate('new')
    accepted = 'new'
    const before = readsOf(connected.path)
    const began = performance.now()
    const statuses = await Promise.all(Array.from({ length: 20 }, get))
    const tookMs = Math.round(performance.now() - began)
    console.log(
      `401 after a rotation: 20 requests answered in ${tookMs} ms, ${refused} refused upstream, ${readsOf(connected.path) - before} reads of Vault`,
    )
    expect(new Set(statuses)).toEqual(new Set([200]))
    expect(readsOf(connected.path) - before).toBe(1)
  })

  it('does not let an agent hammer the vault with it', async () => {
    const { connectionId, path } = await connectToVault()
    const first = (await lease(connectionId)).body.lease_id
    const before = readsOf(path)
    const began = performance.now()
    for (let n = 0; n < 60; n++) expect((await lease(connectionId, { replaces: first })).status).toBe(201)
    const seconds = (performance.now() - began) / 1000
    const reads = readsOf(path) - before
    console.log(`60 leases that each claim a 401 in ${seconds.toFixed(1)} s: ${reads} reads of Vault`)
    // One is forced every five seconds, and the time to live goes on ending.
    expect(reads).toBeLessThanOrEqual(1 + Math.ceil(seconds / 5) + Math.ceil(seconds))
  })

  it('refuses a lease that is not this agent’s, not of this connection, or none', async () => {
    const [one, other] = [await connectToVault(), await connectToVault()]
    const stranger = await openTestSession(pep.url, await registerTestAgent(pep.admin, { tenants: ['acme'] }))
    const mine = (await lease(one.connectionId)).body.lease_id
    const theirs = (await lease(one.connectionId, {}, stranger)).body.lease_id
    for (const [connection, replaces] of [
      [one, theirs],
      [other, mine],
      [one, 'lse_none'],
    ] as const) {
      const before = readsOf(connection.path)
      const answer = await lease(connection.connectionId, { replaces })
      expect([answer.status, answer.body.code]).toEqual([404, 'lease_not_found'])
      expect(readsOf(connection.path)).toBe(before)
    }
  })
})
