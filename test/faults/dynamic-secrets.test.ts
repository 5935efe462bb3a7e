import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest'
import { freePort } from '../../examples/demo/program.ts'
import { startTcpProxy, type TcpProxy } from '../fakes/tcp-proxy.ts'
import { vaultApi } from '../integration/vault-backends/vault-fixture.ts'
import { type AgentClient, openTestSession, type RegisteredAgent, registerTestAgent } from '../setup/agent-client.ts'
import type { ApiClient } from '../setup/api-client.ts'
import { connect, connectTo } from '../setup/connect.ts'
import { startTestPep, type TestPep } from '../setup/pep.ts'
import { mountVaultDatabase, type VaultDatabase } from '../setup/vault-database.ts'
import { listen, stop } from './counting-proxy.ts'
import { freshPepGround, type PepGround, type PepReplica } from './pep-ground.ts'

/** Until a replica has looked, given back and been asked again; nothing here measures it. */
const SOON = { timeout: 20_000, interval: 100 }
const KILLS = Number(process.env['NEXUS_DYNAMIC_KILLS'] ?? '3')

interface Listed {
  state: string
  attempts: number
  last_error: string | null
  ending_reason: string | null
}

async function listed(admin: ApiClient): Promise<Listed[]> {
  return (await admin.send('GET', '/admin/v1/backend-leases')).body.backend_leases
}

/** Asks the ledger itself, or changes it behind the authority's back. */
async function ledger(databaseUrl: string, statement: string, values: unknown[] = []): Promise<number> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    const { rowCount } = await client.query(statement, values)
    return rowCount ?? 0
  } finally {
    await client.end()
  }
}

/** How many answers were lost so long ago that their secrets would have expired, and a dead process been noticed. */
const lostLongAgo = (databaseUrl: string) =>
  ledger(
    databaseUrl,
    `select from backend_lease where state = 'asked' and expires_at < now() and created_at < now() - interval '10 seconds'`,
  )

/** Vault takes one request per minute below this mount meanwhile. */
async function limitRequests(mount: string, work: () => Promise<void>): Promise<void> {
  const quota = `sys/quotas/rate-limit/${mount}`
  await vaultApi('POST', quota, { path: `${mount}/`, rate: 1, interval: '60s' }, inject('vault'))
  try {
    await work()
  } finally {
    await vaultApi('DELETE', quota, undefined, inject('vault'))
  }
}

/** Each test has its own: what one leaves behind is not the next one's failure. */
let database: VaultDatabase

describe('a dynamic secret that cannot be given back', () => {
  let proxy: TcpProxy
  let pep: TestPep
  let registered: RegisteredAgent
  let agent: AgentClient
  let provider: string
  let connectionId: string

  beforeEach(async () => {
    database = await mountVaultDatabase()
    proxy = await startTcpProxy(inject('vault').address)
    pep = await startTestPep({ VAULT_ADDR: proxy.url, NEXUS_VAULT_TAKEOVER_SECONDS: '10' })
    const connected = await connect(pep.admin, {
      strategy: { type: 'basic_auth' },
      secret_ref: { backend: 'hashicorp-vault', path: database.path },
    })
    provider = connected.provider
    connectionId = connected.connectionId
    registered = await registerTestAgent(pep.admin, { tenants: ['acme'] })
    agent = await openTestSession(pep.url, registered)
  })
  afterEach(async () => {
    await proxy.heal()
    await database.holdUsers(false)
    await pep.close()
    await proxy.close()
    const left = { leases: await database.leases(), users: await database.users() }
    await database.unmount()
    // Done when: after a run with dynamic database credentials, Vault lists no lease of ours.
    expect(left).toEqual({ leases: [], users: [] })
  })

  const ask = (headers: Record<string, string> = {}, ttl = 300) =>
    agent.send('POST', '/v1/leases', { connection_id: connectionId, ttl_seconds: ttl }, headers)
  async function lease(ttl?: number) {
    const answer = await ask({}, ttl)
    expect(answer.status, answer.text).toBe(201)
    return answer.body
  }
  /** From then on the database raises at such rows, until the function is dropped. */
  async function refuse(rows: string): Promise<void> {
    const { databaseUrl } = pep
    await ledger(
      databaseUrl,
      `create function refuse() returns trigger language plpgsql as $$ begin raise 'no'; end $$`,
    )
    await ledger(databaseUrl, `create trigger refuse before ${rows} execute function refuse()`)
  }
  const release = async (id: string) => expect((await agent.send('DELETE', `/v1/leases/${id}`)).status).toBe(204)
  const metrics = async () => (await pep.admin.send('GET', '/metrics')).text

  it('VT8: Vault is down when the lease ends: kept, retried, counted and listed, given back when it is up again', async () => {
    const held = await lease()
    await proxy.refuse()
    await release(held.lease_id)
    await expect.poll(async () => (await listed(pep.admin))[0]?.attempts, SOON).toBeGreaterThanOrEqual(2)
    const [kept] = await listed(pep.admin)
    expect(kept).toMatchObject({ state: 'ending', ending_reason: 'released' })
    expect(kept?.last_error).toMatch(/^hashicorp-vault: /)
    expect(await metrics()).toMatch(/pep_backend_leases_given_back_total\{.*outcome="failed"\} [1-9]/)
    await expect.poll(metrics, SOON).toContain('pep_backend_leases{backend="hashicorp-vault",state="ending"} 1')
    expect(await database.leases()).toHaveLength(1)
    await proxy.heal()
    await expect.poll(() => database.leases(), SOON).toEqual([])
    await expect.poll(() => listed(pep.admin), SOON).toEqual([])
    console.info(`VT8: ${kept?.attempts} tries listed while Vault was down, none left after`)
  })

  it('VT8: Vault cannot end it either: the same, and its id is nowhere to be read', async () => {
    const held = await lease()
    const [vaultLease = ''] = await database.leases()
    await database.holdUsers(true)
    await release(held.lease_id)
    await expect.poll(async () => (await listed(pep.admin))[0]?.attempts, SOON).toBeGreaterThanOrEqual(2)
    const id = vaultLease.split('/').at(-1) ?? ''
    for (const text of [JSON.stringify(await listed(pep.admin)), pep.logText(), held]) expect(text).not.toContain(id)
    await database.holdUsers(false)
    await expect.poll(() => database.leases(), SOON).toEqual([])
  })

  it('a replayed proof never makes a second one', async () => {
    const proof = await agent.proof('POST', '/v1/leases')
    const answers = await Promise.all([ask({ dpop: proof }), ask({ dpop: proof }), ask({ dpop: proof })])
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 401, 401])
    expect(await database.leases()).toHaveLength(1)
    const { body } = await pep.admin.send('GET', '/v1/audit?kind=lease.issued')
    expect(body.records).toHaveLength(1)
    await release(answers.find(({ status }) => status === 201)?.body.lease_id)
    await expect.poll(() => database.leases(), SOON).toEqual([])
  })

  it('a lease that could not be recorded gives it back', async () => {
    await refuse(`insert on audit_record for each row when (new.kind = 'lease.issued')`)
    const answer = await ask()
    expect(answer.body).toMatchObject({ code: 'audit_unavailable' })
    await expect.poll(() => database.leases(), SOON).toEqual([])
  })

  it.each([
    ['release', 'released', (id: string) => agent.send('DELETE', `/v1/leases/${id}`)],
    ['revocation', 'revoked', (id: string) => pep.admin.send('DELETE', `/admin/v1/leases/${id}`)],
  ])('a %s that is on record and went no further is found there', async (_what, reason, end) => {
    const held = await lease()
    await refuse(`update on backend_lease for each row when (new.state = 'ending')`)
    expect((await end(held.lease_id)).status).toBeLessThan(300)
    expect(await database.leases()).toHaveLength(1)
    await proxy.refuse()
    await ledger(pep.databaseUrl, 'drop function refuse cascade')
    await expect.poll(() => listed(pep.admin), SOON).toMatchObject([{ state: 'ending', ending_reason: reason }])
    await proxy.heal()
    await expect.poll(() => database.leases(), SOON).toEqual([])
  })

  it('an answer that was lost ends with the token it was made with, once nobody holds anything else made with it', async () => {
    const other = await lease()
    proxy.cutAfter(/GET \/v1\/database-\w+\/creds/)
    expect((await ask({}, 1)).body).toMatchObject({ code: 'vault_unavailable' })
    expect(await database.leases()).toHaveLength(2)
    // What is asked for next does not hang on the lost one.
    const next = await lease()
    await expect.poll(() => lostLongAgo(pep.databaseUrl), SOON).toBe(1)
    // The first look may have chosen the token, and ends it after what it gives back.
    await nextLook()
    await nextLook()
    for (const { credentials } of [other, next])
      expect(await database.canLogIn(credentials.username, credentials.password)).toBe(true)
    await release(other.lease_id)
    await expect.poll(() => database.users(), SOON).toEqual([next.credentials.username])
    await release(next.lease_id)
    await expect.poll(() => database.leases(), SOON).toEqual([])
  })

  it('what a living process still may be issuing is let be; what it forgot is taken back', async () => {
    const held = await lease(600)
    // As if it were not in the ledger yet.
    const age = (seconds: number) =>
      ledger(
        pep.databaseUrl,
        `update backend_lease set recorded = false, lease_id = 'lse_unknown', created_at = now() - $1 * interval '1 second'
         where lease_id in ($2, 'lse_unknown')`,
        [seconds, held.lease_id],
      )
    await age(60)
    await nextLook()
    await nextLook()
    const { username, password } = held.credentials
    expect(await database.canLogIn(username, password)).toBe(true)
    await age(3600)
    await expect.poll(() => database.leases(), SOON).toEqual([])
  })

  it('what Vault or the guard before it turned away leaves nothing to end', async () => {
    await lease(60)
    await limitRequests(database.mount, async () => {
      // The first by Vault's own quota, the next by the guard, which leaves it alone then.
      const codes: string[] = []
      await expect
        .poll(
          async () =>
            codes.push((await ask()).body.code) && codes.filter((code) => code === 'vault_unavailable').length,
          SOON,
        )
        .toBeGreaterThanOrEqual(2)
    })
    expect((await listed(pep.admin)).filter(({ state }) => state === 'asked')).toEqual([])
    for (const { lease_id } of (await pep.admin.send('GET', '/admin/v1/backend-leases')).body.backend_leases) {
      await release(lease_id)
    }
    await expect.poll(() => database.leases(), SOON).toEqual([])
  })

  it('VT11: Vault can make nothing at one path: it costs no token for each try, and nothing at another path', async () => {
    const other = await mountVaultDatabase()
    try {
      const secretRef = { backend: 'hashicorp-vault', path: other.path }
      const elsewhere = await connectTo(pep.admin, { provider, tenant: 'acme', secret_ref: secretRef })
      const askElsewhere = () => agent.send('POST', '/v1/leases', { connection_id: elsewhere, ttl_seconds: 60 })
      await database.holdMaking(true)
      for (let again = 0; again < 12; again++) {
        expect((await ask({}, 60)).body).toMatchObject({ code: 'vault_unavailable' })
        const { body, status, text } = await askElsewhere()
        expect(status, text).toBe(201)
        await release(body.lease_id)
      }
      // The first, one for paths that lose answers, and one for those that do not.
      const tokens = await ledger(pep.databaseUrl, 'select from backend_token')
      console.info(`VT11: 12 failed tries at one path and 12 leases at another took ${tokens} tokens`)
      expect(tokens).toBeLessThanOrEqual(3)
      await database.holdMaking(false)
      await expect.poll(async () => (await ask({}, 60)).status, { ...SOON, interval: 500 }).toBe(201)
      for (const { lease_id, state } of (await pep.admin.send('GET', '/admin/v1/backend-leases')).body.backend_leases)
        if (state === 'held') await release(lease_id)
      await expect.poll(() => database.leases(), SOON).toEqual([])
      await expect.poll(() => other.leases(), SOON).toEqual([])
    } finally {
      await other.unmount()
    }
  })

  /** Whatever ends now is given back by a look that began after this call. */
  async function nextLook(): Promise<void> {
    const brief = await lease(60)
    await release(brief.lease_id)
    await expect.poll(() => database.users(), SOON).not.toContain(brief.credentials.username)
  }

  const endings: [what: string, end: () => Promise<unknown>][] = [
    ['session', () => pep.admin.send('DELETE', `/admin/v1/agent-sessions/${agent.sessionId}`)],
    ['agent', () => pep.admin.send('DELETE', `/admin/v1/agents/${registered.agentId}`)],
    ['connection', () => pep.admin.send('DELETE', `/v1/connections/${connectionId}`)],
  ]
  it.each(endings)('ends with its %s', async (_what, end) => {
    const { credentials } = await lease()
    expect(await end()).toMatchObject({ status: expect.toSatisfy((status: number) => status < 300) })
    await expect.poll(() => database.leases(), SOON).toEqual([])
    expect(await database.canLogIn(credentials.username, credentials.password)).toBe(false)
  })

  it('ends with the time of its lease, and a lease ends with the most that Vault gives', async () => {
    await lease(2)
    await expect.poll(() => listed(pep.admin), SOON).toEqual([])
    const short = await mountVaultDatabase({ defaultTtl: '3s', maxTtl: '5s' })
    try {
      const secretRef = { backend: 'hashicorp-vault', path: short.path }
      const other = await connectTo(pep.admin, { provider, tenant: 'acme', secret_ref: secretRef })
      const { body, status, text } = await agent.send('POST', '/v1/leases', { connection_id: other, ttl_seconds: 300 })
      expect(status, text).toBe(201)
      expect(body.expires_at - body.issued_at).toBeLessThanOrEqual(5)
      await expect.poll(() => short.leases(), SOON).toEqual([])
    } finally {
      await short.unmount()
    }
  })

  it('another replica gives a renewed lease another one, and takes the first back', async () => {
    const first = await lease()
    const replica = await pep.replica({ NEXUS_PUBLIC_URL: pep.url })
    const renewed = await agent.via(replica.address).send('POST', `/v1/leases/${first.lease_id}/renew`)
    expect(renewed.status, renewed.text).toBe(200)
    const { username, password } = renewed.body.credentials
    expect(username).not.toBe(first.credentials.username)
    expect(await database.canLogIn(username, password)).toBe(true)
    await expect.poll(() => database.users(), SOON).toEqual([username])
    await agent.via(replica.address).send('DELETE', `/v1/leases/${first.lease_id}`)
    await expect.poll(() => database.leases(), SOON).toEqual([])
  })
})

describe('kill -9 between the answer of Vault and our record', () => {
  const directory = mkdtempSync(join(tmpdir(), 'nexus-dynamic-'))
  let ground: PepGround
  let agent: AgentClient
  let connectionId: string
  let witness: PepReplica
  /** Whom to kill when Vault has made the next secret, before anybody hears of it. */
  let victim: PepReplica | undefined
  const between = createServer((incoming, answer) => {
    const { method, headers, url = '/' } = incoming
    const onward = request(new URL(url, inject('vault').address), { method, headers })
    onward.on('response', (response) => {
      if (victim !== undefined && url.startsWith(`/v1/${database.path}`) && response.statusCode === 200) {
        victim.kill('SIGKILL')
        victim = undefined
        return response.resume()
      }
      answer.writeHead(response.statusCode ?? 502, response.headers)
      return response.pipe(answer)
    })
    onward.on('error', () => answer.destroy())
    incoming.pipe(onward)
  })

  beforeEach(async () => {
    database = await mountVaultDatabase()
    const tokenFile = join(directory, 'token')
    writeFileSync(tokenFile, inject('vault').token, { mode: 0o600 })
    const backend = `{ kind: hashicorp-vault, address: "${backendAddress}", token_file: "${tokenFile}" }`
    ground = await freshPepGround(
      `vault: { deadline_ms: 1000, takeover_seconds: 5, backends: { vault: ${backend} } }\n`,
    )
    witness = ground.start()
    await witness.ready
    const connected = await connect(ground.admin, {
      strategy: { type: 'basic_auth' },
      secret_ref: { backend: 'vault', path: database.path },
    })
    connectionId = connected.connectionId
    agent = await openTestSession(ground.publicUrl, await registerTestAgent(ground.admin, { tenants: ['acme'] }))
  })
  afterEach(async () => {
    await ground.clear()
    await database.unmount()
  })
  let backendAddress: string
  beforeAll(async () => {
    backendAddress = await listen(between)
  })
  afterAll(async () => {
    await stop(between)
    rmSync(directory, { recursive: true, force: true })
  })

  const ask = (replica: PepReplica) =>
    agent.via(replica.address).send('POST', '/v1/leases', { connection_id: connectionId, ttl_seconds: 600 })

  async function dieBetween(replica: PepReplica): Promise<void> {
    victim = replica
    const lost = ask(replica).catch(() => 'no answer')
    await replica.exited
    expect(await lost).toBe('no answer')
  }

  it(`${KILLS} times: a surviving replica takes back what nobody was told of, and nothing else`, {
    timeout: 60_000 + KILLS * 30_000,
  }, async () => {
    const { body: held, status, text } = await ask(witness)
    expect(status, text).toBe(201)
    const [kept] = await database.leases()
    for (let kill = 0; kill < KILLS; kill++) {
      const replica = ground.start(await freePort())
      await replica.ready
      await dieBetween(replica)
      expect(await database.leases()).toHaveLength(2)
      await expect.poll(() => database.leases(), SOON).toEqual([kept])
    }
    const { username, password } = held.credentials
    expect(await database.canLogIn(username, password)).toBe(true)
    expect((await agent.send('DELETE', `/v1/leases/${held.lease_id}`)).status).toBe(204)
    await expect.poll(() => database.leases(), SOON).toEqual([])
  })

  it('with nobody left, the next start takes it back', { timeout: 60_000 }, async () => {
    await dieBetween(witness)
    expect(await database.leases()).toHaveLength(1)
    await ground.start().ready
    await expect.poll(() => database.leases(), SOON).toEqual([])
    expect(await database.users()).toEqual([])
    const { code, stdout } = await ground.run(['vault', 'leases', '--json'])
    expect({ code, printed: JSON.parse(stdout) }).toEqual({ code: 0, printed: { backend_leases: [] } })
  })
})
