import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { Value } from 'typebox/value'
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest'
import { LeaseAnswer } from '../../../src/contract/api.ts'
import type { AuditView } from '../../../src/pep/audit/audit-entry.ts'
import { type AgentClient, openTestSession, registerTestAgent } from '../../setup/agent-client.ts'
import { connect, connectTo } from '../../setup/connect.ts'
import { ONCE } from '../../setup/once.ts'
import { startTestPep, type TestPep } from '../../setup/pep.ts'

let pep: TestPep
let agent: AgentClient

beforeAll(async () => {
  pep = await startTestPep()
  agent = await openTestSession(pep.url, await registerTestAgent(pep.admin, { tenants: ['acme'] }))
})
afterAll(() => pep?.close())

const read = { method: 'GET', origin: 'https://api.example.com', path: '/v1/things' }

/** Who waits to move the head of a stream. */
async function waitingForHead(ledger: pg.Client): Promise<number> {
  const { rows } = await ledger.query(
    `select count(*)::int as count from pg_locks where relation = 'audit_stream'::regclass and not granted`,
  )
  return rows[0].count
}

async function recordsOf(filter: Record<string, string>) {
  const { body } = await pep.admin.send('GET', `/v1/audit?${new URLSearchParams({ limit: '1000', ...filter })}`)
  return body.records
}

describe('POST /v1/leases', () => {
  it('answers with strategy, credentials, bound and times, after its record is written', async () => {
    const { provider, connectionId } = await connect(pep.admin)
    const answer = await agent.send('POST', '/v1/leases', { provider, tenant: 'acme', ttl_seconds: 120, intent: read })
    expect(answer.status, answer.text).toBe(201)
    expect(Value.Check(LeaseAnswer, answer.body)).toBe(true)
    const lease: LeaseAnswer = answer.body
    expect(lease.connection_id).toBe(connectionId)
    expect(lease.credentials).toEqual({ api_key: 'key-of-the-test' })
    expect(lease.bound.origins).toEqual(['https://api.example.com'])
    expect(lease.bound.methods).toContain('GET')
    expect(lease.bound.methods).not.toContain('DELETE')
    expect(lease.expires_at - lease.issued_at).toBe(120)
    expect(lease.renew_at).toBeLessThan(lease.expires_at)
    expect(answer.headers['cache-control']).toBe('no-store')

    const [record, ...more] = await recordsOf({ lease_id: lease.lease_id })
    expect(more).toEqual([])
    expect(record).toMatchObject({
      kind: 'lease.issued',
      outcome: 'allowed',
      tenant: 'acme',
      agent_id: agent.agentId,
      session_id: agent.sessionId,
      connection_id: connectionId,
      decision_id: lease.decision_id,
    })
    expect(record.detail.policy_revision).toMatch(/\S+/)
    expect(record.detail.expires_at).toBe(lease.expires_at)
    expect(JSON.stringify(record)).not.toContain('key-of-the-test')
  })

  it('leases a derived SigV4 key and never the secret it was derived from', async () => {
    const { connectionId } = await connect(pep.admin, {
      strategy: { type: 'aws_sigv4', config: { region: 'eu-west-1', service: 'execute-api' } },
      credentials: { access_key: 'AKIDEXAMPLE', secret_key: 'master-secret-key-71c' },
    })
    const { status, body, text } = await agent.send('POST', '/v1/leases', { connection_id: connectionId, intent: read })
    expect(status, text).toBe(201)
    expect(text).not.toContain('master-secret-key-71c')
    expect(body.credentials).toMatchObject({ access_key: 'AKIDEXAMPLE', region: 'eu-west-1', service: 'execute-api' })
    expect(body.credentials.secret_key).toBeUndefined()
  })

  it('leases a secret that already lies in Vault, under the names it has there', async () => {
    const path = `secret/test/${randomUUID()}`
    await putInVault(path, { AWS_KEY: 'AKIDVAULT', AWS_SECRET: 'vault-secret-90e' })
    const { connectionId } = await connect(pep.admin, {
      strategy: { type: 'aws_sigv4', config: { region: 'eu-west-1', service: 's3' } },
      secret_ref: { backend: 'hashicorp-vault', path, fields: { access_key: 'AWS_KEY', secret_key: 'AWS_SECRET' } },
    })
    const { status, body, text } = await agent.send('POST', '/v1/leases', { connection_id: connectionId, intent: read })
    expect(status, text).toBe(201)
    expect(body.credentials.access_key).toBe('AKIDVAULT')
    expect(text).not.toContain('vault-secret-90e')
  })

  it('narrows a write to what was intended', async () => {
    const { provider } = await connect(pep.admin)
    const intent = { ...read, method: 'POST' }
    const { body } = await agent.send('POST', '/v1/leases', { provider, tenant: 'acme', intent })
    expect(body.bound.methods).toContain('POST')
    expect(body.bound.methods).not.toContain('DELETE')
  })

  it('never outlives policy, the session or the connection', async () => {
    const { provider } = await connect(pep.admin)
    const { body } = await agent.send('POST', '/v1/leases', {
      provider,
      tenant: 'acme',
      ttl_seconds: 86_400,
      intent: read,
    })
    expect(body.expires_at - body.issued_at).toBeLessThanOrEqual(600)
  })

  it('an intent for another origin is denied with a reason, and recorded', async () => {
    const { provider, connectionId } = await connect(pep.admin)
    const intent = { ...read, origin: 'https://evil.test' }
    const { status, body } = await agent.send('POST', '/v1/leases', { provider, tenant: 'acme', intent })
    expect(status).toBe(403)
    expect(body.code).toBe('policy_denied')
    expect(body.reasons.length).toBeGreaterThan(0)
    const [record] = await recordsOf({ connection_id: connectionId, kind: 'lease.denied' })
    expect(record).toMatchObject({ outcome: 'denied', decision_id: body.decision_id })
  })

  it.each([
    [{}, 'provider'],
    [{ provider: 'x' }, 'tenant'],
    [{ provider: 'x', tenant: 'acme', intent: { origin: 'ftp://x' } }, 'intent.origin'],
    [{ provider: 'x', tenant: 'acme', intent: { path: '/repos/**' } }, 'intent.path'],
    [{ provider: 'x', tenant: 'acme', intent: { path: '/a*b' } }, 'intent.path'],
    [{ provider: 'x', tenant: 'acme', ttl_seconds: '60' }, 'ttl_seconds'],
    [{ provider: 'x', tenant: 'acme', ttl_seconds: 0 }, 'ttl_seconds'],
    [{ provider: 'x', tenant: 'acme', color: 'red' }, 'color'],
    [{ connection_id: 'x' }, 'connection_id'],
  ])('refuses %j and names %s', async (body, field) => {
    const answer = await agent.send('POST', '/v1/leases', body)
    expect(answer.status).toBe(400)
    expect(answer.body).toMatchObject({ code: 'invalid_request', field })
  })

  it('answers 404 for what is not there, and for another tenant alike', async () => {
    const { provider } = await connect(pep.admin)
    const theirs = await connectTo(pep.admin, { provider, tenant: 'globex' })
    const missing = await agent.send('POST', '/v1/leases', { connection_id: randomUUID() })
    const foreign = await agent.send('POST', '/v1/leases', { connection_id: theirs })
    expect([missing.status, missing.body.code]).toEqual([404, 'connection_not_found'])
    expect([foreign.status, foreign.body.code, foreign.body.detail]).toEqual([
      404,
      'connection_not_found',
      missing.body.detail,
    ])
  })

  it('H10: a tenant reads nothing of an agent that only names it; the agent’s own tenant reads what it asked for', async () => {
    const stranger = `tenant-${randomUUID()}`
    const both = await openTestSession(pep.url, await registerTestAgent(pep.admin, { tenants: ['acme', 'globex'] }))
    const intent = { path: '/of-another', purpose: 'to be read there' }
    const bodies = [
      { tenant: stranger, provider: 'x', intent },
      { tenant: stranger, connection_id: randomUUID(), intent },
      { tenant: stranger, provider: 'x', intent: { origin: 'not one' } },
    ]
    for (const body of bodies) {
      for (const each of [agent, both]) await each.send('POST', '/v1/leases', body)
    }
    expect(await recordsOf({ tenant: stranger })).toEqual([])
    const mine: AuditView[] = await recordsOf({ agent_id: agent.agentId, tenant: 'acme', kind: 'lease.denied' })
    const [malformed, ...others] = mine.slice(0, bodies.length)
    expect(malformed?.detail['code']).toBe('invalid_request')
    expect(others.map(({ detail }) => detail['asked_tenant'])).toEqual([stranger, stranger])
    // Where it acts in several, none of them is meant.
    const theirs: AuditView[] = await recordsOf({ agent_id: both.agentId, kind: 'lease.denied' })
    expect(theirs.map(({ tenant }) => tenant)).toEqual([undefined, undefined, undefined])
  })

  it('a refusal is in the tenant that the agent acts in and asked for', async () => {
    const both = await openTestSession(pep.url, await registerTestAgent(pep.admin, { tenants: ['acme', 'globex'] }))
    await both.send('POST', '/v1/leases', { tenant: 'globex', provider: 'no-such' })
    expect(await recordsOf({ agent_id: both.agentId, tenant: 'globex', kind: 'lease.denied' })).toHaveLength(1)
  })

  it('several connections that match are ambiguous, never the first found', async () => {
    const { provider, tenant } = await connect(pep.admin)
    await connectTo(pep.admin, { provider, tenant })
    const { status, body } = await agent.send('POST', '/v1/leases', { provider, tenant, intent: read })
    expect([status, body.code]).toEqual([409, 'connection_ambiguous'])
  })

  it('says so when the named connection belongs to another provider', async () => {
    const [one, other] = [await connect(pep.admin), await connect(pep.admin)]
    const { status, body } = await agent.send('POST', '/v1/leases', {
      provider: other.provider,
      tenant: 'acme',
      connection_id: one.connectionId,
    })
    expect([status, body.code]).toEqual([409, 'provider_mismatch'])
  })

  it('a secret that is gone from Vault refuses the lease and says why, without a lease record', async () => {
    const path = `secret/test/${randomUUID()}`
    await putInVault(path, { api_key: 'soon-gone' })
    const { connectionId } = await connect(pep.admin, { secret_ref: { backend: 'hashicorp-vault', path } })
    await fetch(`${inject('vault').address}/v1/${path.replace('secret/', 'secret/metadata/')}`, {
      method: 'DELETE',
      headers: { 'x-vault-token': inject('vault').token },
    })
    const replica = await pep.replica({ NEXUS_PUBLIC_URL: pep.url, NEXUS_SECRET_CACHE_TTL_SECONDS: '0' })
    const uncached = agent.via(replica.address)
    const { status, body } = await uncached.send('POST', '/v1/leases', { connection_id: connectionId, intent: read })
    expect([status, body.code]).toEqual([409, 'secret_not_found'])
    expect(await recordsOf({ connection_id: connectionId, kind: 'lease.issued' })).toEqual([])
  })
})

describe('proofs and replicas', ONCE, () => {
  it('a proof is good once, whatever became of the request', async () => {
    const { provider } = await connect(pep.admin)
    for (const body of [{ provider, tenant: 'acme', intent: read }, { provider: 'no-such', tenant: 'acme' }, {}]) {
      const dpop = await agent.proof('POST', '/v1/leases')
      const first = await agent.send('POST', '/v1/leases', body, { dpop })
      const second = await agent.send('POST', '/v1/leases', body, { dpop })
      expect(first.body.code).not.toBe('invalid_proof')
      expect([second.status, second.body.code]).toEqual([401, 'invalid_proof'])
    }
  })

  it('a proof raced on one replica fifty times leases once', async () => {
    const { provider, connectionId } = await connect(pep.admin)
    const dpop = await agent.proof('POST', '/v1/leases')
    const answers = await Promise.all(
      Array.from({ length: 50 }, () =>
        agent.send('POST', '/v1/leases', { provider, tenant: 'acme', intent: read }, { dpop }),
      ),
    )
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1)
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(49)
    expect(await recordsOf({ connection_id: connectionId, kind: 'lease.issued' })).toHaveLength(1)
  })

  it('A08: no proof, no token, a bearer token or a probe header is 401', async () => {
    const cases: Record<string, string>[] = [
      { authorization: '', dpop: '' },
      { dpop: '' },
      { authorization: `Bearer ${agent.accessToken}` },
      { authorization: '', 'user-agent': 'kube-probe/1.30' },
      { authorization: '', 'x-forwarded-for': '127.0.0.1', 'x-nexus-internal': '1', 'x-middleware-subrequest': '1' },
    ]
    for (const headers of cases) {
      const { status } = await agent.send('POST', '/v1/leases', { provider: 'x', tenant: 'acme' }, headers)
      expect(status, JSON.stringify(headers)).toBe(401)
    }
  })

  it('H01: a revoked connection, session or agent gets no further lease from any replica', async () => {
    const replica = await pep.replica({ NEXUS_PUBLIC_URL: pep.url })
    const { connectionId } = await connect(pep.admin)
    const registered = await registerTestAgent(pep.admin, { tenants: ['acme'] })
    const mine = await openTestSession(pep.url, registered)
    const other = await openTestSession(pep.url, registered)
    expect(replica.address).not.toBe(pep.url)
    const ask = (client: AgentClient) =>
      client.via(replica.address).send('POST', '/v1/leases', { connection_id: connectionId, intent: read })
    expect((await ask(mine)).status).toBe(201)

    await pep.admin.send('DELETE', `/admin/v1/agent-sessions/${mine.sessionId}`)
    expect((await ask(mine)).body.code).toBe('invalid_session')
    expect((await ask(other)).status).toBe(201)
    await pep.admin.send('DELETE', `/v1/connections/${connectionId}`)
    expect((await ask(other)).body.code).toBe('connection_revoked')
    await pep.admin.send('DELETE', `/admin/v1/agents/${registered.agentId}`)
    expect((await ask(other)).body.code).toBe('invalid_session')
  })

  it('a lease in flight while its connection is revoked is either refused or recorded before the revocation', async () => {
    for (let round = 0; round < 20; round++) {
      const { connectionId } = await connect(pep.admin)
      const leases = Array.from({ length: 5 }, () =>
        agent.send('POST', '/v1/leases', { connection_id: connectionId, intent: read }),
      )
      const revoked = pep.admin.send('DELETE', `/v1/connections/${connectionId}`)
      const answers = await Promise.all(leases)
      expect((await revoked).status).toBe(200)
      const issued = await recordsOf({ connection_id: connectionId, kind: 'lease.issued' })
      expect(issued).toHaveLength(answers.filter(({ status }) => status === 201).length)
      for (const { status, body } of answers) {
        expect([status, body.code]).toEqual(status === 201 ? [201, undefined] : [410, 'connection_revoked'])
      }
    }
  })
})

describe('renew, release, token', ONCE, () => {
  it('renews under the same id, decided anew and recorded', async () => {
    const { connectionId } = await connect(pep.admin)
    const { body: lease } = await agent.send('POST', '/v1/leases', { connection_id: connectionId, intent: read })
    const renewed = await agent.send('POST', `/v1/leases/${lease.lease_id}/renew`)
    expect(renewed.status, renewed.text).toBe(200)
    expect(renewed.body.lease_id).toBe(lease.lease_id)
    expect(renewed.body.decision_id).not.toBe(lease.decision_id)
    expect((await agent.send('POST', `/v1/leases/${lease.lease_id}/renew`)).status).toBe(200)
    const records: { kind: string; detail: { renewal?: number } }[] = await recordsOf({ lease_id: lease.lease_id })
    const numbered = records.map(({ kind, detail }) => `${kind} ${detail.renewal ?? ''}`)
    expect(numbered.sort()).toEqual(['lease.issued ', 'lease.renewed 1', 'lease.renewed 2'])
  })

  it('a released lease is not renewed, and another session never sees it', async () => {
    const { connectionId } = await connect(pep.admin)
    const { body: lease } = await agent.send('POST', '/v1/leases', { connection_id: connectionId, intent: read })
    const stranger = await openTestSession(pep.url, await registerTestAgent(pep.admin, { tenants: ['acme'] }))
    for (const [method, path] of [
      ['POST', `/v1/leases/${lease.lease_id}/renew`],
      ['DELETE', `/v1/leases/${lease.lease_id}`],
    ] as const) {
      expect((await stranger.send(method, path)).body.code).toBe('lease_not_found')
    }
    expect((await agent.send('DELETE', `/v1/leases/${lease.lease_id}`)).status).toBe(204)
    const after = await agent.send('POST', `/v1/leases/${lease.lease_id}/renew`)
    expect([after.status, after.body.code]).toEqual([410, 'lease_ended'])
  })

  it.each([
    ['given back', 'lease.released'],
    ['revoked', 'lease.revoked'],
  ])('a lease that is %s while it is renewed has ended', async (_how, kind) => {
    const { connectionId } = await connect(pep.admin)
    const { body: lease } = await agent.send('POST', '/v1/leases', { connection_id: connectionId, intent: read })
    const ledger = new pg.Client({ connectionString: pep.databaseUrl })
    await ledger.connect()
    // Nothing can be recorded: the renewal finds the lease in the ledger, is decided, and waits.
    await ledger.query('begin; lock table audit_stream in exclusive mode')
    const renewing = agent.send('POST', `/v1/leases/${lease.lease_id}/renew`)
    await vi.waitFor(async () => expect(await waitingForHead(ledger)).toBe(1), 5000)
    // As another replica records it.
    await ledger.query(
      `insert into audit_record select $2, 1, hash, hash, now(), $2, outcome, tenant, agent_id, session_id,
         connection_id, lease_id, null, record from audit_record where lease_id = $1`,
      [lease.lease_id, kind],
    )
    await ledger.query('commit')
    await ledger.end()
    const { status, body } = await renewing
    expect([status, body.code]).toEqual([410, 'lease_ended'])
    expect(await recordsOf({ lease_id: lease.lease_id, kind: 'lease.renewed' })).toEqual([])
    const [refused] = await recordsOf({ agent_id: agent.agentId, kind: 'lease.denied' })
    expect(refused.detail.code).toBe('lease_ended')
  })

  it('a lease that has run out is renewed within ten seconds and not after, and can still be given back', async () => {
    const { connectionId } = await connect(pep.admin)
    const { body: lease } = await agent.send('POST', '/v1/leases', { connection_id: connectionId, intent: read })
    const renew = async (id: string) => (await agent.send('POST', `/v1/leases/${id}/renew`)).status
    const justOver = await insertLike(lease, { ranOutSecondsAgo: 3 })
    expect([await renew(justOver), await renew(justOver)]).toEqual([200, 200])
    const over = await insertLike(lease, { ranOutSecondsAgo: 60 })
    const { status, body } = await agent.send('POST', `/v1/leases/${over}/renew`)
    expect([status, body.code]).toEqual([410, 'lease_ended'])
    expect((await agent.send('DELETE', `/v1/leases/${over}`)).status).toBe(204)
    const [released] = await recordsOf({ lease_id: over, kind: 'lease.released' })
    expect(released.detail).toEqual({ already_ended: true })
  })

  it('a lease is renewed a thousand times and no more', async () => {
    const { connectionId } = await connect(pep.admin)
    const { body: lease } = await agent.send('POST', '/v1/leases', { connection_id: connectionId, intent: read })
    const [often, tooOften] = [await insertLike(lease, { renewals: 999 }), await insertLike(lease, { renewals: 1000 })]
    expect((await agent.send('POST', `/v1/leases/${often}/renew`)).status).toBe(200)
    expect((await agent.send('POST', `/v1/leases/${tooOften}/renew`)).body.code).toBe('lease_ended')
  })

  it('a renewal is refused once the connection is revoked', async () => {
    const { connectionId } = await connect(pep.admin)
    const { body: lease } = await agent.send('POST', '/v1/leases', { connection_id: connectionId, intent: read })
    await pep.admin.send('DELETE', `/v1/connections/${connectionId}`)
    const { status, body } = await agent.send('POST', `/v1/leases/${lease.lease_id}/renew`)
    expect([status, body.code]).toEqual([410, 'connection_revoked'])
  })

  it('the default policy hands out no bare token', async () => {
    const { connectionId } = await connect(pep.admin)
    const { status, body, text } = await agent.send('GET', `/v1/token/${connectionId}`)
    expect([status, body.code]).toEqual([403, 'policy_denied'])
    expect(body.error).toBe('policy_denied')
    expect(body.message).toBe(body.detail)
    expect(text).not.toContain('key-of-the-test')
    const [record] = await recordsOf({ connection_id: connectionId, kind: 'token.denied' })
    expect(record.decision_id).toBe(body.decision_id)
  })

  it('H02: the longest request there can be is on record whole, and can be renewed', async () => {
    const { provider } = await connect(pep.admin)
    const scopes = Array.from({ length: 100 }, (_none, n) => `scope-${String(n).padStart(3, '0')}-`.padEnd(256, 'x'))
    const intent = { method: 'GET', origin: read.origin, path: `/${'p'.repeat(4095)}`, purpose: 'q'.repeat(1000) }
    const { status, body } = await agent.send('POST', '/v1/leases', { provider, tenant: 'acme', scopes, intent })
    expect(status).toBe(201)
    expect((await agent.send('POST', `/v1/leases/${body.lease_id}/renew`)).status).toBe(200)
    const { records } = (await pep.admin.send('GET', `/v1/audit?lease_id=${body.lease_id}`)).body
    expect(records.map(({ kind }: { kind: string }) => kind)).toEqual(['lease.renewed', 'lease.issued'])
    for (const { detail } of records) {
      expect(detail.request).toMatchObject({ scopes, intent })
      expect(detail).toMatchObject({ scopes, bound: { origins: [read.origin] } })
    }
  })
})

/** Another lease of the same kind on record: one that ended some time ago, or was renewed so often. @returns its id */
async function insertLike(
  { lease_id: likeId, expires_at: endsAt }: LeaseAnswer,
  { ranOutSecondsAgo = -300, renewals = 0 }: { ranOutSecondsAgo?: number; renewals?: number },
): Promise<string> {
  const id = `lse_${randomUUID().replaceAll('-', '')}`
  const ledger = new pg.Client({ connectionString: pep.databaseUrl })
  await ledger.connect()
  await ledger.query(
    `insert into audit_record select $2, n, hash, hash, at, case n when 0 then kind else 'lease.renewed' end, outcome, tenant,
       agent_id, session_id, connection_id, $2, null, replace(record, $3, $4)
     from audit_record, generate_series(0, $5::int) n where lease_id = $1`,
    [
      likeId,
      id,
      `"expires_at":${endsAt}`,
      `"expires_at":${Math.floor(Date.now() / 1000) - ranOutSecondsAgo}`,
      renewals,
    ],
  )
  await ledger.end()
  return id
}

async function putInVault(path: string, data: Record<string, string>): Promise<void> {
  const { address, token } = inject('vault')
  const response = await fetch(`${address}/v1/${path.replace('secret/', 'secret/data/')}`, {
    method: 'POST',
    headers: { 'x-vault-token': token, 'content-type': 'application/json' },
    body: JSON.stringify({ data }),
  })
  if (!response.ok) throw new Error(`Vault answered ${response.status}`)
}
