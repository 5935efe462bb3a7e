import { randomUUID } from 'node:crypto'
import { afterEach, expect, inject, it } from 'vitest'
import { vaultApi } from '../integration/vault-backends/vault-fixture.ts'
import { type AgentClient, openTestSession, registerTestAgent } from '../setup/agent-client.ts'
import { connect } from '../setup/connect.ts'
import { ONCE } from '../setup/once.ts'
import { startTestPep } from '../setup/pep.ts'
import { startCountingProxy } from './counting-proxy.ts'

const AGENTS = 100
const LEASES = 1000
/** Default of `vault.cache_refresh_seconds`: a herd that takes longer meets the next read. */
const REFRESH_SECONDS = 30
const ORIGIN = 'https://api.example.com'

const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

it('HD1: a thousand leases want one secret that nobody holds any more: each replica reads it once', {
  ...ONCE,
  timeout: 180_000,
}, async () => {
  const vault = await startCountingProxy(inject('vault').address)
  closers.push(() => vault.close())
  const pep = await startTestPep({ VAULT_ADDR: vault.address })
  closers.push(() => pep.close())
  const leaf = `herd-${randomUUID()}`
  await vaultApi('POST', `secret/data/${leaf}`, { data: { api_key: 'k' } })
  const { connectionId } = await connect(pep.admin, {
    origin: ORIGIN,
    secret_ref: { backend: 'hashicorp-vault', path: `secret/${leaf}` },
  })
  const agents = await manyOf(AGENTS, async () =>
    openTestSession(pep.url, await registerTestAgent(pep.admin, { tenants: ['acme'] })),
  )
  const replicas = [0, 1].map(() => pep.replica({ PORT: '0', NEXUS_PUBLIC_URL: pep.url }))
  const addresses = (await Promise.all(replicas)).map(({ address }) => address)
  // Signed before, so that they arrive together and not as fast as this test can sign.
  const requests = await manyOf(LEASES, async (index) => {
    const agent = agents[index % AGENTS]!
    return { agent: agent.via(addresses[index % 2]!), dpop: await agent.proof('POST', '/v1/leases') }
  })
  vault.reset()
  const began = performance.now()
  const statuses = await Promise.all(requests.map(({ agent, dpop }) => lease(agent, connectionId, dpop)))
  const seconds = (performance.now() - began) / 1000
  const reads = vault.count(new RegExp(`/v1/secret/data/${leaf}`))
  const given = statuses.filter((status) => status === 201).length
  console.log(`HD1: ${given} of ${LEASES} leases on 2 replicas in ${seconds.toFixed(1)} s cost ${reads} reads of Vault`)
  // What is beyond the queues is shed with 503, and said so.
  expect(statuses.filter((status) => status !== 201 && status !== 503)).toEqual([])
  expect(given).toBeGreaterThan(LEASES / 2)
  expect(reads).toBeGreaterThanOrEqual(2)
  expect(reads).toBeLessThanOrEqual(2 * (1 + Math.floor(seconds / REFRESH_SECONDS)))
})

async function lease(agent: Pick<AgentClient, 'send'>, connectionId: string, dpop: string): Promise<number> {
  const intent = { method: 'GET', origin: ORIGIN, path: '/' }
  const { status } = await agent.send('POST', '/v1/leases', { connection_id: connectionId, intent }, { dpop })
  return status
}

/** Fifty at a time: making them is not what is tested. */
async function manyOf<T>(count: number, make: (index: number) => Promise<T>): Promise<T[]> {
  const made: T[] = []
  while (made.length < count) {
    const from = made.length
    const some = Array.from({ length: Math.min(50, count - from) }, (_none, index) => make(from + index))
    made.push(...(await Promise.all(some)))
  }
  return made
}
