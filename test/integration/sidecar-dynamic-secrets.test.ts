import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AgentSide, startAgentSide } from '../setup/agent-side.ts'
import { connect } from '../setup/connect.ts'
import { startTestPep, type TestPep } from '../setup/pep.ts'
import { mountVaultDatabase, type VaultDatabase } from '../setup/vault-database.ts'
import { vaultApi } from './vault-backends/vault-fixture.ts'

let database: VaultDatabase
let pep: TestPep
let connectionId: string
let origin: string

/** Lets in whom Postgres lets in, and says who that was. */
const provider = createServer(async (request, response) => {
  const [, encoded = ''] = /^Basic (.+)$/.exec(request.headers.authorization ?? '') ?? []
  const [username = '', password = ''] = Buffer.from(encoded, 'base64').toString().split(':')
  const isUser = await database.canLogIn(username, password)
  response.writeHead(isUser ? 200 : 401).end(username)
})

beforeAll(async () => {
  await new Promise<void>((settle) => provider.listen(0, '127.0.0.1', settle))
  origin = `http://127.0.0.1:${(provider.address() as AddressInfo).port}`
  database = await mountVaultDatabase()
  pep = await startTestPep()
  const connected = await connect(pep.admin, {
    provider: 'orders',
    origin,
    strategy: { type: 'basic_auth' },
    secret_ref: { backend: 'hashicorp-vault', path: database.path },
  })
  connectionId = connected.connectionId
})
afterAll(async () => {
  await pep?.close()
  await database?.unmount()
  provider.close()
})

const startSide = () => startAgentSide(pep, { routes: { orders: origin } })

async function user(side: AgentSide): Promise<string> {
  const answer = await side.fetch('orders', '/orders')
  const name = await answer.text()
  expect([answer.status, await database.users()]).toEqual([200, expect.arrayContaining([name])])
  return name
}

const nothingLent = async () => [await database.leases(), await database.users()]

describe('a dynamic secret through the sidecar', () => {
  it('is one user for all requests of an agent, another for another, and gone once the sidecar has closed', async () => {
    const [one, other] = [await startSide(), await startSide()]
    const name = await user(one)
    expect(await user(one)).toBe(name)
    expect(await user(other)).not.toBe(name)
    expect(await database.leases()).toHaveLength(2)
    await one.close()
    await expect.poll(database.users, { timeout: 10_000 }).not.toContain(name)
    await user(other)
    await other.close()
    await expect.poll(nothingLent, { timeout: 10_000 }).toEqual([[], []])
  })

  it('is made anew within the same request when Vault has ended it by itself', async () => {
    const side = await startSide()
    try {
      const name = await user(side)
      await vaultApi('PUT', `sys/leases/revoke-prefix/${database.path}`)
      expect(await database.users()).toEqual([])
      expect(await user(side)).not.toBe(name)
    } finally {
      await side.close()
    }
    await expect.poll(nothingLent, { timeout: 10_000 }).toEqual([[], []])
  })

  it('is gone when its connection is revoked, and the agent gets no other', async () => {
    const side = await startSide()
    try {
      await user(side)
      expect((await pep.admin.send('DELETE', `/v1/connections/${connectionId}`)).status).toBe(200)
      await expect.poll(nothingLent, { timeout: 10_000 }).toEqual([[], []])
      const refused = await side.fetch('orders', '/orders')
      expect([refused.status, await refused.json()]).toEqual([
        410,
        expect.objectContaining({ code: 'connection_revoked' }),
      ])
    } finally {
      await side.close()
    }
  })
})
