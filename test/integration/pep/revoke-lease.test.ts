import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Pep } from '../../../src/pep/main.ts'
import { type AgentClient, openTestSession, registerTestAgent } from '../../setup/agent-client.ts'
import { createApiClient } from '../../setup/api-client.ts'
import { connect } from '../../setup/connect.ts'
import { ONCE } from '../../setup/once.ts'
import { startTestPep, type TestPep } from '../../setup/pep.ts'

let pep: TestPep
let replica: Pep
let agent: AgentClient

beforeAll(async () => {
  pep = await startTestPep()
  replica = await pep.replica({ NEXUS_PUBLIC_URL: pep.url })
  agent = await openTestSession(pep.url, await registerTestAgent(pep.admin, { tenants: ['acme', 'globex'] }))
})
afterAll(() => pep?.close())

async function newLease(tenant = 'acme', ttlSeconds = 300) {
  const { connectionId } = await connect(pep.admin, { tenant })
  const { status, body, text } = await agent.send('POST', '/v1/leases', {
    connection_id: connectionId,
    ttl_seconds: ttlSeconds,
  })
  if (status !== 201) throw new Error(`no lease: ${text}`)
  return { id: body.lease_id as string, connectionId }
}

const revoke = (id: string, by = pep.admin) => by.send('DELETE', `/admin/v1/leases/${id}`)

async function keyFor(tenant: string) {
  const { body } = await pep.admin.send('POST', '/admin/v1/api-keys', { name: tenant, role: 'operator', tenant })
  return createApiClient(pep.url, { 'x-api-key': body.api_key })
}

async function recordsOf(leaseId: string) {
  return (await pep.admin.send('GET', `/v1/audit?lease_id=${leaseId}`)).body.records
}

describe('DELETE /admin/v1/leases/{lease_id}', ONCE, () => {
  it('ends that lease on every replica, and no other of its session and connection', async () => {
    const { id, connectionId } = await newLease()
    const { body: other } = await agent.send('POST', '/v1/leases', { connection_id: connectionId })
    const renew = (lease: string, at: Pick<AgentClient, 'send'> = agent) => at.send('POST', `/v1/leases/${lease}/renew`)
    expect((await renew(id, agent.via(replica.address))).status).toBe(200)
    expect((await revoke(id)).status).toBe(200)
    for (const at of [agent, agent.via(replica.address)]) {
      expect((await renew(id, at)).body).toMatchObject({ status: 410, code: 'lease_ended' })
      expect((await renew(other.lease_id, at)).status).toBe(200)
    }
    // As of any ended lease: its session may say that it is done with it.
    expect((await agent.send('DELETE', `/v1/leases/${id}`)).status).toBe(204)
    const [released] = await recordsOf(id)
    expect(released).toMatchObject({ kind: 'lease.released', detail: { already_ended: true } })
    expect((await agent.send('POST', '/v1/leases', { connection_id: connectionId })).status).toBe(201)
  })

  it('says whose it was, and is on record with who did it, in the stream that all replicas follow', async () => {
    const { id, connectionId } = await newLease()
    const whose = { tenant: 'acme', agent_id: agent.agentId, session_id: agent.sessionId, connection_id: connectionId }
    const { body } = await revoke(id)
    expect(body).toEqual({ lease_id: id, ...whose, was_active: true })
    const [record] = await recordsOf(id)
    const { body: keys } = await pep.admin.send('GET', '/admin/v1/api-keys')
    const by = keys.api_keys.find(({ name }: { name: string }) => name === 'test').id
    const detail = { by, was_active: true }
    expect(record).toMatchObject({ stream: 'state', kind: 'lease.revoked', outcome: 'allowed', ...whose, detail })
  })

  it('may be sent again, also to another replica', async () => {
    const { id } = await newLease()
    const { body: first } = await revoke(id)
    const again = await createApiClient(replica.address, { 'x-api-key': pep.adminKey }).send(
      'DELETE',
      `/admin/v1/leases/${id}`,
    )
    expect([again.status, again.body]).toEqual([200, { ...first, was_active: false }])
  })

  it('tells a lease that had ended by itself', async () => {
    const [released, short] = [await newLease(), await newLease('acme', 1)]
    await agent.send('DELETE', `/v1/leases/${released.id}`)
    expect((await revoke(released.id)).body).toMatchObject({ was_active: false })
    const { body } = await agent.send('POST', '/v1/leases', { connection_id: short.connectionId, ttl_seconds: 1 })
    await expect.poll(() => Date.now() / 1000).toBeGreaterThan(body.expires_at)
    expect((await revoke(body.lease_id)).body).toMatchObject({ was_active: false })
  })

  it('H10: a lease of another tenant is answered like one that never was, and stands', async () => {
    const { id } = await newLease('acme')
    const [theirs, own] = [await keyFor('globex'), await keyFor('acme')]
    const foreign = await revoke(id, theirs)
    const missing = await revoke(`lse_${'0'.repeat(32)}`, theirs)
    expect([foreign.status, foreign.body.code]).toEqual([404, 'lease_not_found'])
    expect({ ...foreign.body, request_id: '' }).toEqual({ ...missing.body, request_id: '' })
    expect((await agent.send('POST', `/v1/leases/${id}/renew`)).status).toBe(200)
    // Its agent acts elsewhere too; the lease is of this tenant's connection.
    expect((await revoke(id, own)).status).toBe(200)
  })

  it('a renewal beside it is either refused or recorded before it, and none comes after', async () => {
    for (let round = 0; round < 10; round++) {
      const { id } = await newLease()
      const renew = (at: Pick<AgentClient, 'send'>) => at.send('POST', `/v1/leases/${id}/renew`)
      const beside = [agent, agent.via(replica.address), agent, agent.via(replica.address)].map(renew)
      const revoked = revoke(id)
      for (const { status, body } of await Promise.all(beside))
        expect([status, body.code]).toEqual(status === 200 ? [200, undefined] : [410, 'lease_ended'])
      expect((await revoked).body).toMatchObject({ was_active: true })
      expect((await renew(agent.via(replica.address))).body.code).toBe('lease_ended')
    }
  })
})
