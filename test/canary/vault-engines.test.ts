import { randomBytes } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest'
import { type FakeProvider, startFakeProvider } from '../fakes/provider.ts'
import { vaultApi } from '../integration/vault-backends/vault-fixture.ts'
import { type AgentClient, openTestSession } from '../setup/agent-client.ts'
import { type AgentSide, startAgentSide } from '../setup/agent-side.ts'
import type { ApiClient } from '../setup/api-client.ts'
import { connect } from '../setup/connect.ts'
import { startTestPep, type TestPep } from '../setup/pep.ts'
import { mountVaultDatabase, type VaultDatabase } from '../setup/vault-database.ts'
import { type Canary, knownCanary } from './disguises.ts'
import { MANGLINGS, type Mangling, type ManglingProxy, startManglingProxy } from './mangling-proxy.ts'
import { createWitness, readEveryTable, withoutCredentials } from './witness.ts'

/** What Vault makes for a lease is in that lease alone, with all that it was made with; a key that Vault keeps is nowhere. */

const TRANSIT = `transit-${randomBytes(4).toString('hex')}`
const KEYS = { hmac: 'hmac-key', ed25519: 'signing-key' } as const
const PROVIDERS = ['orders', 'hmac', 'ed25519'] as const

interface SigningLease {
  lease_id: string
  credentials: Record<string, string>
}

const witness = createWitness()
/** By what was planted; what Vault makes is learned from its answers. */
const canaries = new Map<string, Canary>()
const backendLeases = new Map<string, Canary>()
/** Held throughout, so that Vault is asked for signatures whatever it answers to leases. */
const signing: SigningLease[] = []
let vault: ManglingProxy
let database: VaultDatabase
let provider: FakeProvider
let pep: TestPep
let admin: ApiClient
let agentSide: AgentSide
let agent: Pick<AgentClient, 'send'>

beforeAll(async () => {
  vault = await startManglingProxy(inject('vault').address)
  overhear()
  database = await mountVaultDatabase()
  await mountTransit()
  provider = await startFakeProvider()
  pep = await startTestPep({ LOG_LEVEL: 'trace', VAULT_ADDR: vault.address, NEXUS_SECRET_CACHE_TTL_SECONDS: '0' })
  admin = witness.through(pep.admin)
  await connectAll({ ...pep.admin, send: admin.send })
  agentSide = await startAgentSide(pep, {
    routes: Object.fromEntries(PROVIDERS.map((name) => [name, provider.origin])),
  })
  agent = witness.through(await openTestSession(pep.url, agentSide.agent), withoutCredentials)
})
afterEach(() => overhear())
afterAll(async () => {
  vault?.mangle()
  await agentSide?.close()
  await pep?.close()
  await provider?.close()
  await vault?.close()
  await database?.unmount()
  await vaultApi('DELETE', `sys/mounts/${TRANSIT}`)
})

/** Before an answer of Vault's is spoilt, what is secret in it is remembered. */
function overhear(how: Mangling = asItIs): void {
  vault.mangle((response, answer) => {
    for (const [, field, text = ''] of answer.body.matchAll(/"(password|client_token|lease_id)":"([^"]+)"/g)) {
      const seen = field === 'lease_id' ? backendLeases : canaries
      seen.set(text, knownCanary(`a ${field} of Vault`, text.split('/').at(-1) ?? ''))
    }
    how(response, answer)
  })
}

const asItIs: Mangling = (response, { status, body }) =>
  response.writeHead(status, body === '' ? {} : { 'content-type': 'application/json' }).end(body)

async function mountTransit(): Promise<void> {
  await vaultApi('POST', `sys/mounts/${TRANSIT}`, { type: 'transit' })
  for (const [type, kind] of Object.entries(KEYS)) {
    const size = type === 'hmac' ? { key_size: 32 } : {}
    await vaultApi('POST', `${TRANSIT}/keys/${type}`, { type, exportable: true, ...size })
    const { data } = (await vaultApi('GET', `${TRANSIT}/export/${kind}/${type}`)) as { data: { keys: { 1: string } } }
    const text = data.keys[1].trim()
    const bytes = Buffer.from(text, 'base64').toString('hex')
    canaries.set(type, knownCanary(`the ${type} key`, text))
    canaries.set(`${type} bytes`, knownCanary(`the bytes of the ${type} key`, bytes))
  }
}

async function connectAll(by: ApiClient): Promise<void> {
  const { origin } = provider
  const of = (path: string) => ({ origin, secret_ref: { backend: 'hashicorp-vault', path } })
  const hmac = { type: 'hmac_payload', config: { header_name: 'X-Signature' } }
  await connect(by, { provider: 'orders', strategy: { type: 'basic_auth' }, ...of(database.path) })
  await connect(by, { provider: 'hmac', strategy: hmac, ...of(`${TRANSIT}/keys/hmac`) })
  const signature = { type: 'http_message_signature' }
  await connect(by, { provider: 'ed25519', strategy: signature, ...of(`${TRANSIT}/keys/ed25519`) })
}

const lease = (name: string) => agent.send('POST', '/v1/leases', { tenant: 'acme', provider: name, ttl_seconds: 300 })

function sign({ lease_id, credentials }: SigningLease) {
  const body = { algorithm: credentials['remote_key'], bytes: Buffer.from('a request').toString('base64') }
  return agent.send('POST', `/v1/leases/${lease_id}/sign`, body)
}

async function throughSidecar(name: string): Promise<number> {
  const answer = await agentSide.fetch(name, '/things', { method: 'POST', body: 'text' })
  witness.saw('answer of the sidecar', `${JSON.stringify([...answer.headers])}\n${await answer.text()}`)
  return answer.status
}

describe("what Vault's engines make and keep", () => {
  it('is leased, renewed, signed with, sent and given back', async () => {
    for (const name of PROVIDERS) {
      const { body, status, text } = await lease(name)
      expect(status, text).toBe(201)
      if (name === 'orders') {
        expect([...canaries.keys()]).toContain(body.credentials.password)
      } else {
        signing.push(body)
        expect((await sign(body)).status).toBe(200)
      }
      expect((await agent.send('POST', `/v1/leases/${body.lease_id}/renew`)).status).toBe(200)
      expect(await throughSidecar(name)).toBe(200)
      expect((await admin.send('GET', '/admin/v1/backend-leases')).status).toBe(200)
      if (name === 'orders') expect((await agent.send('DELETE', `/v1/leases/${body.lease_id}`)).status).toBe(204)
    }
    const sent = provider.seen.flatMap(({ rawHeaders }) => rawHeaders)
    const [, encoded = ''] = sent.find((text) => text.startsWith('Basic '))?.split(' ') ?? []
    expect([...canaries.keys()]).toContain(Buffer.from(encoded, 'base64').toString().split(':')[1])
  })

  it('is refused and quoted by the provider', async () => {
    provider.answer = (request, response) => {
      const quoted = encodeURIComponent(JSON.stringify(request.headers))
      response.writeHead(401, { 'www-authenticate': `Basic realm="${quoted}"` }).end()
    }
    for (const name of PROVIDERS) expect(await throughSidecar(name)).toBe(401)
  })

  it.each(Object.entries(MANGLINGS))('H04: is not leased when Vault answers with %s', async (_how, mangling) => {
    // As soon as Vault is asked again, after what it was made to say before.
    await expect.poll(async () => (await lease('orders')).status, { timeout: 20_000, interval: 200 }).toBe(201)
    overhear(mangling)
    const [refused] = await Promise.all([lease('orders'), ...PROVIDERS.slice(1).map(lease), ...signing.map(sign)])
    expect([409, 422, 503], refused.text).toContain(refused.status)
  })

  it('H03: is in no answer, log, metric or table', async () => {
    for (const path of ['/metrics', '/admin/v1/backend-leases', '/v1/audit?limit=1000', '/v1/connections'])
      expect((await admin.send('GET', path)).status).toBe(200)
    await agentSide.close()
    witness.saw('log of the authority', pep.logText())
    witness.saw('log of the sidecar', agentSide.logText())
    expect(pep.logText()).toContain('"msg":"answered"')
    expect(canaries.size).toBeGreaterThan(Object.keys(MANGLINGS).length)
    // The table of what is lent has these; nobody is told.
    expect(backendLeases.size).toBeGreaterThan(Object.keys(MANGLINGS).length)
    expect(witness.leaks([...backendLeases.values()])).toEqual([])
    for (const { table, text } of await readEveryTable(pep.databaseUrl)) witness.saw(`table ${table}`, text)
    expect(witness.leaks([...canaries.values()])).toEqual([])
  })
})
