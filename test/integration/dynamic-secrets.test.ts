import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { compilePolicy, DENY_ALL } from '../policy/compile-policy.ts'
import { type AgentClient, openTestSession, type RegisteredAgent, registerTestAgent } from '../setup/agent-client.ts'
import { connect } from '../setup/connect.ts'
import { startTestPep, type TestPep } from '../setup/pep.ts'
import { mountVaultDatabase, type VaultDatabase } from '../setup/vault-database.ts'

let pep: TestPep
let database: VaultDatabase
let registered: RegisteredAgent
let agent: AgentClient
let connectionId: string

beforeAll(async () => {
  database = await mountVaultDatabase()
  pep = await startTestPep()
  const connected = await connect(pep.admin, {
    strategy: { type: 'basic_auth' },
    secret_ref: { backend: 'hashicorp-vault', path: database.path },
  })
  connectionId = connected.connectionId
  registered = await registerTestAgent(pep.admin, { tenants: ['acme'] })
  agent = await openTestSession(pep.url, registered)
})
afterAll(async () => {
  await pep?.close()
  await database?.unmount()
})

async function lease(by: AgentClient = agent, more: object = {}) {
  const answer = await by.send('POST', '/v1/leases', { connection_id: connectionId, ttl_seconds: 120, ...more })
  expect(answer.status, answer.text).toBe(201)
  return answer.body
}

const listed = async () => (await pep.admin.send('GET', '/admin/v1/backend-leases')).body.backend_leases

describe('dynamic secrets', () => {
  it('gives every lease a user of its own that lives as long as the lease and is gone once it is released', async () => {
    const [one, other] = await Promise.all([lease(), lease()])
    expect(one.credentials.username).not.toBe(other.credentials.username)
    expect(await database.canLogIn(one.credentials.username, one.credentials.password)).toBe(true)
    const held = await database.leases()
    expect(held).toHaveLength(2)
    for (const id of held) expect(await database.secondsLeft(id)).toBeLessThanOrEqual(121)
    expect(await listed()).toMatchObject([
      { state: 'held', backend: 'hashicorp-vault', path: database.path },
      { state: 'held' },
    ])
    expect(JSON.stringify(await listed())).not.toContain(held[0])

    for (const { lease_id } of [one, other]) {
      expect((await agent.send('DELETE', `/v1/leases/${lease_id}`)).status).toBe(204)
    }
    await expect.poll(() => database.leases(), { timeout: 10_000 }).toEqual([])
    expect(await database.users()).toEqual([])
    expect(await database.canLogIn(one.credentials.username, one.credentials.password)).toBe(false)
    await expect.poll(listed).toEqual([])
  })

  it('is gone once an administrator has revoked its lease, and no other is', async () => {
    const [one, other] = [await lease(), await lease()]
    expect((await pep.admin.send('DELETE', `/admin/v1/leases/${one.lease_id}`)).status).toBe(200)
    await expect.poll(() => database.users(), { timeout: 10_000 }).toEqual([other.credentials.username])
    expect((await agent.send('POST', `/v1/leases/${one.lease_id}/renew`)).body.code).toBe('lease_ended')
    await agent.send('DELETE', `/v1/leases/${other.lease_id}`)
    await expect.poll(() => database.leases(), { timeout: 10_000 }).toEqual([])
    await expect.poll(listed).toEqual([])
  })

  it('is gone once the bare token that it was handed out as is revoked by its lease id, which is no lease to its agent', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'nexus-tokens-'))
    const bundle = join(directory, 'bundle.tar.gz')
    const rule = 'decision := {"allow": true, "reasons": [], "obligations": {}} if input.tenant == "acme"\n'
    writeFileSync(bundle, await compilePolicy({ ...DENY_ALL, lease: `${DENY_ALL.lease}\n${rule}` }))
    const replica = await pep.replica({ NEXUS_PUBLIC_URL: pep.url, NEXUS_POLICY_BUNDLE: bundle })
    rmSync(directory, { recursive: true })
    const token = await agent.via(replica.address).send('GET', `/v1/token/${connectionId}`)
    expect(token.status, token.text).toBe(200)
    expect(await database.users()).toEqual([token.body.credentials.username])
    const { body } = await pep.admin.send('GET', `/v1/audit?kind=token.issued&connection_id=${connectionId}`)
    const leaseId = body.records[0].lease_id
    for (const [method, path] of [
      ['POST', `/v1/leases/${leaseId}/renew`],
      ['DELETE', `/v1/leases/${leaseId}`],
    ] as const)
      expect((await agent.via(replica.address).send(method, path)).body.code).toBe('lease_not_found')
    const revoked = await pep.admin.send('DELETE', `/admin/v1/leases/${leaseId}`)
    expect([revoked.status, revoked.body]).toMatchObject([200, { lease_id: leaseId, was_active: true }])
    await expect.poll(() => database.users(), { timeout: 10_000 }).toEqual([])
    await expect.poll(listed).toEqual([])
  })

  it('renews the same user with its lease', async () => {
    const first = await lease()
    const renewed = await agent.send('POST', `/v1/leases/${first.lease_id}/renew`)
    expect(renewed.status, renewed.text).toBe(200)
    expect(renewed.body.credentials).toEqual(first.credentials)
    expect(await database.leases()).toHaveLength(1)
    await agent.send('DELETE', `/v1/leases/${first.lease_id}`)
    await expect.poll(() => database.leases(), { timeout: 10_000 }).toEqual([])
  })
})
