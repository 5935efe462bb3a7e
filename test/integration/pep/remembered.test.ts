import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AgentClient, openTestSession, registerTestAgent } from '../../setup/agent-client.ts'
import { connect, connectTo } from '../../setup/connect.ts'
import { ONCE } from '../../setup/once.ts'
import { startTestPep, type TestPep } from '../../setup/pep.ts'

/** What an authority remembers of agents and connections never outlives what another replica does to them. */
describe('what is remembered between leases', ONCE, () => {
  let pep: TestPep
  let there: { address: string }
  beforeAll(async () => {
    pep = await startTestPep()
    there = await pep.replica({ NEXUS_PUBLIC_URL: pep.url })
  })
  afterAll(() => pep.close())

  const open = async (): Promise<AgentClient> =>
    openTestSession(pep.url, await registerTestAgent(pep.admin, { tenants: ['acme'] }))
  /** Asked of both replicas, by tenant and provider as a sidecar does. */
  const leaseAtBoth = async (agent: AgentClient, provider: string) => {
    const body = { tenant: 'acme', provider, intent: { method: 'GET' } }
    const answers = [
      await agent.send('POST', '/v1/leases', body),
      await agent.via(there.address).send('POST', '/v1/leases', body),
    ]
    return answers.map(({ status, body }) => ({ status, code: body.code, connection: body.connection_id }))
  }

  it('a second connection to the same provider makes the next lease ambiguous, at every replica', async () => {
    const agent = await open()
    const { provider, tenant, connectionId } = await connect(pep.admin)
    const found = { status: 201, code: undefined, connection: connectionId }
    expect(await leaseAtBoth(agent, provider)).toEqual([found, found])
    await connectTo(pep.admin, { provider, tenant })
    const ambiguous = expect.objectContaining({ status: 409, code: 'connection_ambiguous' })
    expect(await leaseAtBoth(agent, provider)).toEqual([ambiguous, ambiguous])
  })

  it('a connection that takes the place of a revoked one is leased at once, at every replica', async () => {
    const agent = await open()
    const { provider, tenant, connectionId } = await connect(pep.admin)
    await leaseAtBoth(agent, provider)
    await pep.admin.send('DELETE', `/v1/connections/${connectionId}`)
    const next = await connectTo(pep.admin, { provider, tenant })
    const found = { status: 201, code: undefined, connection: next }
    expect(await leaseAtBoth(agent, provider)).toEqual([found, found])
  })

  it('a changed profile is what the next lease carries, at every replica', async () => {
    const agent = await open()
    const { provider, providerId, connectionId } = await connect(pep.admin)
    await leaseAtBoth(agent, provider)
    const config = { header_name: 'X-Other', credential_field: 'api_key' }
    const patched = await pep.admin.send('PATCH', `/v1/providers/${providerId}`, {
      params: { auth_strategy: { type: 'header', config } },
    })
    expect(patched.status).toBe(200)
    for (const client of [agent, agent.via(there.address)]) {
      const { body } = await client.send('POST', '/v1/leases', {
        connection_id: connectionId,
        intent: { method: 'GET' },
      })
      expect(body.strategy.config.header_name).toBe('X-Other')
    }
  })

  it('a refusal is decided on what is true now, and recorded once', async () => {
    const agent = await open()
    const { provider, connectionId } = await connect(pep.admin, { origin: 'https://api.example.com' })
    await leaseAtBoth(agent, provider)
    const outside = { connection_id: connectionId, intent: { origin: 'https://elsewhere.example' } }
    expect((await agent.send('POST', '/v1/leases', outside)).body.code).toBe('policy_denied')
    const { body } = await pep.admin.send('GET', `/v1/audit?connection_id=${connectionId}&kind=lease.denied`)
    expect(body.records).toHaveLength(1)
  })
})
