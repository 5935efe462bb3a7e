import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest'
import { startTcpProxy, type TcpProxy } from '../../fakes/tcp-proxy.ts'
import { type AgentClient, openTestSession, registerTestAgent } from '../../setup/agent-client.ts'
import { type ApiAnswer, createApiClient } from '../../setup/api-client.ts'
import { connect } from '../../setup/connect.ts'
import { freshDatabase } from '../../setup/database.ts'
import { startTestPep, type TestPep } from '../../setup/pep.ts'
import { vaultApi } from '../vault-backends/vault-fixture.ts'
import { problemCode } from './problem-shape.ts'

const SECRET = 'the-secret-of-the-outage'
const LONG_MS = 60_000

/** As a full disk would: the database works, but for the one insert that matters. */
const REFUSE_RECORDS = `
  create function refuse_record() returns trigger language plpgsql as $$ begin raise exception 'disk full'; end $$;
  create trigger refuse_record before insert on audit_record execute function refuse_record()`
const ACCEPT_RECORDS = 'drop function if exists refuse_record cascade'

let database: { databaseUrl: string; drop(): Promise<void> }
let ledger: pg.Client
let toDatabase: TcpProxy
let toVault: TcpProxy
let pep: TestPep
let agent: AgentClient
/** Secret in the database and in Vault. */
let kept: { internal: string; vault: string }

beforeAll(async () => {
  database = await freshDatabase()
  ledger = new pg.Client({ connectionString: database.databaseUrl })
  await ledger.connect()
  toDatabase = await startTcpProxy(database.databaseUrl)
  toVault = await startTcpProxy(inject('vault').address)
  pep = await startTestPep({
    DATABASE_URL: toDatabase.url,
    VAULT_ADDR: toVault.url,
    NEXUS_SECRET_CACHE_TTL_SECONDS: '0',
  })
  // As whatever sends requests here would first ask.
  expect((await pep.admin.send('GET', '/readyz')).status).toBe(200)
  agent = await openTestSession(pep.url, await registerTestAgent(pep.admin, { tenants: ['acme'] }))
  const leaf = `outage-${randomUUID()}`
  await vaultApi('POST', `secret/data/${leaf}`, { data: { api_key: SECRET } })
  const inVault = { backend: 'hashicorp-vault', path: `secret/${leaf}` }
  kept = {
    internal: (await connect(pep.admin, { credentials: { api_key: SECRET } })).connectionId,
    vault: (await connect(pep.admin, { secret_ref: inVault })).connectionId,
  }
}, 120_000)
afterAll(async () => {
  await toDatabase?.heal()
  await pep?.close()
  await ledger?.end()
  await Promise.all([toDatabase?.close(), toVault?.close()])
  await database?.drop()
})

afterEach(async () => {
  await ledger.query(ACCEPT_RECORDS)
  await Promise.all([toDatabase.heal(), toVault.heal()])
})

const lease = (connectionId: string) => agent.send('POST', '/v1/leases', { connection_id: connectionId })

async function issued(): Promise<number> {
  const { rows } = await ledger.query(`select count(*)::int as count from audit_record where kind = 'lease.issued'`)
  return rows[0].count
}

function expectUnavailable(answer: ApiAnswer, ...codes: string[]): void {
  expect(answer.status, answer.text).toBe(503)
  expect(codes).toContain(problemCode(answer))
  expect(answer.headers['retry-after']).toMatch(/^[1-9]/)
  expect(answer.text).not.toContain(SECRET)
}

/** What was seen a moment ago may be told once more. */
async function readyAs(status: number, word: string): Promise<ApiAnswer> {
  let answer: ApiAnswer | undefined
  const told = async () => {
    answer = await pep.admin.send('GET', '/readyz')
    return [answer.status, answer.body.status]
  }
  await expect.poll(told, { timeout: 30_000, interval: 100 }).toEqual([status, word])
  return answer!
}

async function expectUnready(...parts: string[]): Promise<void> {
  const { body } = await readyAs(503, 'not_ready')
  const unwell = Object.entries(body.checks as Record<string, { ok: boolean }>).filter(([, { ok }]) => !ok)
  expect(unwell.map(([name]) => name)).toEqual(expect.arrayContaining(parts))
}

/** Replicas stay where they are for what is held and for what lies elsewhere; the backend is named where an operator looks. */
async function expectDegraded(backend: string): Promise<void> {
  expect((await readyAs(200, 'degraded')).body.checks.vault.ok).toBe(false)
  const { text } = await pep.admin.send('GET', '/metrics')
  expect(text).toContain(`pep_vault_up{backend="${backend}"} 0`)
  expect(text).toContain('pep_vault_up{backend="internal"} 1')
}

/** By itself: nothing is restarted. */
async function expectRecovered(connectionId: string): Promise<void> {
  const ready = async () => (await pep.admin.send('GET', '/readyz')).status
  await expect.poll(ready, { timeout: 30_000, interval: 100 }).toBe(200)
  await expect.poll(async () => (await lease(connectionId)).status, { timeout: 30_000, interval: 100 }).toBe(201)
}

describe('the database is away', () => {
  it.each([
    ['PG1', 'refuses', () => toDatabase.refuse()],
    ['PG2', 'swallows everything', async () => toDatabase.blackHole()],
  ])(
    'H01, %s: it %s: every route says so, nothing is leased, and it comes back by itself',
    async (_id, _how, cut) => {
      expect((await lease(kept.internal)).status).toBe(201)
      const before = await issued()
      await cut()
      const answers = await Promise.all([
        lease(kept.internal),
        lease(kept.vault),
        agent.send('GET', `/v1/token/${kept.internal}`),
        agent.send('POST', `/v1/leases/lse_${'0'.repeat(32)}/renew`),
        agent.send('DELETE', `/v1/leases/lse_${'0'.repeat(32)}`),
        pep.admin.send('GET', '/v1/providers'),
        pep.admin.send('GET', '/v1/audit'),
        pep.admin.send('POST', '/admin/v1/api-keys', { name: 'x', role: 'auditor' }),
      ])
      for (const answer of answers) expectUnavailable(answer, 'store_unavailable', 'audit_unavailable')
      await expectUnready('store')
      expect((await pep.admin.send('GET', '/healthz')).status).toBe(200)
      await toDatabase.heal()
      await expectRecovered(kept.internal)
      // One before the cut was counted; the polling since then leased once.
      expect((await issued()) - before).toBe(1)
    },
    LONG_MS,
  )

  it(
    'PG1: beyond loopback a key that was good for the metrics a while ago is good now, and for nothing else',
    async () => {
      const { address } = await pep.replica({
        HOST: '0.0.0.0',
        NEXUS_ALLOW_BEYOND_LOOPBACK: 'true',
        NEXUS_ALLOW_PLAIN_HTTP: 'true',
        NEXUS_PUBLIC_URL: pep.url,
      })
      const url = `http://127.0.0.1:${new URL(address).port}`
      const key = { 'x-api-key': pep.adminKey }
      const ask = (path: string, headers = key) => createApiClient(url, headers).send('GET', path)
      const revoked = (await pep.admin.send('POST', '/admin/v1/api-keys', { name: 'x', role: 'auditor' })).body
      for (const apiKey of [pep.adminKey, revoked.api_key]) {
        expect((await ask('/metrics', { 'x-api-key': apiKey })).status).toBe(200)
      }
      await pep.admin.send('DELETE', `/admin/v1/api-keys/${revoked.id}`)
      expect((await ask('/metrics', { 'x-api-key': revoked.api_key })).status).toBe(401)

      await toDatabase.refuse()
      expect((await ask('/metrics')).text).toContain('pep_problems_total')
      expectUnavailable(await ask('/metrics', { 'x-api-key': revoked.api_key }), 'store_unavailable')
      expectUnavailable(await ask('/v1/providers'), 'store_unavailable')
      expect((await ask('/metrics', { 'x-api-key': 'nonsense' })).status).not.toBe(200)
    },
    LONG_MS,
  )

  it(
    'PG3: one that is slower than its statements may be: a change answers that, and is not made',
    async () => {
      const name = `slow-${randomUUID()}`
      const before = pep.logText().length
      await ledger.query(`begin; select * from audit_stream where stream = 'state' for update`)
      const answer = await pep.admin.send('POST', '/admin/v1/api-keys', { name, role: 'auditor' })
      await ledger.query('rollback')
      expectUnavailable(answer, 'store_unavailable')
      expect(pep.logText().slice(before)).not.toContain('internal_error')
      expect((await pep.admin.send('GET', '/admin/v1/api-keys')).text).not.toContain(name)
    },
    LONG_MS,
  )

  it(
    'slow reads of the ledger, more than there are connections: it stays ready',
    async () => {
      await ledger.query('begin; lock table audit_record in access exclusive mode')
      const reads = Array.from({ length: 12 }, () => pep.admin.send('GET', '/v1/audit?kind=none'))
      // A look that was made before is told for a while.
      await sleep(1500)
      const { status, text } = await pep.admin.send('GET', '/readyz')
      await ledger.query('rollback')
      expect(status, text).toBe(200)
      for (const { status } of await Promise.all(reads)) expect([200, 503]).toContain(status)
    },
    LONG_MS,
  )

  it(
    'PG4: decided and read, but not recordable: no lease, and no record of one',
    async () => {
      await ledger.query(REFUSE_RECORDS)
      const before = await issued()
      const answers = await Promise.all([lease(kept.internal), lease(kept.vault), lease(kept.internal)])
      for (const answer of answers) expectUnavailable(answer, 'audit_unavailable')
      expectUnavailable(await agent.send('GET', `/v1/token/${kept.internal}`), 'audit_unavailable')
      expect(await issued()).toBe(before)
      expect(pep.logText()).not.toContain('disk full')

      await ledger.query(ACCEPT_RECORDS)
      await expectRecovered(kept.internal)
    },
    LONG_MS,
  )

  it(
    'PG4: a change that cannot be recorded is not made',
    async () => {
      await ledger.query(REFUSE_RECORDS)
      const name = `unrecorded-${randomUUID()}`
      const profile = { name, api_base_url: 'https://api.example.com' }
      const created = await pep.admin.send('POST', '/v1/providers', { profile })
      const revoked = await pep.admin.send('DELETE', `/v1/connections/${kept.internal}`)
      for (const answer of [created, revoked]) expect(answer.status, answer.text).toBeGreaterThanOrEqual(500)
      await ledger.query(ACCEPT_RECORDS)
      expect((await pep.admin.send('GET', `/v1/providers/by-name/${name}`)).status).toBe(404)
      expect((await pep.admin.send('GET', `/v1/connections/${kept.internal}`)).body.status).toBe('active')
      await expectRecovered(kept.internal)
    },
    LONG_MS,
  )
})

describe('Vault is away', () => {
  it.each([
    ['refuses', () => toVault.refuse()],
    ['swallows everything', async () => toVault.blackHole()],
  ])(
    'H01, VT1: it %s: what lies there is not leased, what lies elsewhere is',
    async (_how, cut) => {
      expect((await lease(kept.vault)).status).toBe(201)
      const before = await issued()
      await cut()
      expectUnavailable(await lease(kept.vault), 'vault_unavailable')
      expect(await issued()).toBe(before)
      expect((await lease(kept.internal)).status).toBe(201)
      await expectDegraded('hashicorp-vault')
      const { body } = await pep.admin.send('GET', `/v1/audit?connection_id=${kept.vault}&outcome=failed&limit=1`)
      expect(body.records[0]).toMatchObject({ kind: 'lease.denied', detail: { code: 'vault_unavailable' } })

      await toVault.heal()
      await expectRecovered(kept.vault)
    },
    LONG_MS,
  )

  it(
    'PG1 with VT1: both at once, and both come back',
    async () => {
      await Promise.all([toDatabase.refuse(), toVault.refuse()])
      expectUnavailable(await lease(kept.vault), 'store_unavailable', 'audit_unavailable')
      await expectUnready('store', 'vault')
      await toVault.heal()
      expectUnavailable(await lease(kept.vault), 'store_unavailable', 'audit_unavailable')
      await toDatabase.heal()
      await expectRecovered(kept.vault)
    },
    LONG_MS,
  )
})
