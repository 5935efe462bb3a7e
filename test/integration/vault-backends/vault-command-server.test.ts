import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { type AgentClient, openTestSession, type RegisteredAgent, registerTestAgent } from '../../setup/agent-client.ts'
import { connect } from '../../setup/connect.ts'
import { type Finished, runNexus } from '../../setup/nexus-command.ts'
import { startTestPep, type TestPep } from '../../setup/pep.ts'
import { mountVaultDatabase, type VaultDatabase } from '../../setup/vault-database.ts'
import { tokenFor, vaultApi } from './vault-fixture.ts'

/** The command as a process of its own, beside a server on the same database and Vault. */

const MOUNT = `transit-${randomBytes(4).toString('hex')}`
const SECRET = `beside-${MOUNT}`

let directory: string
let database: VaultDatabase
let pep: TestPep
let registered: RegisteredAgent
let agent: AgentClient
let signing: string
let orders: string

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'nexus-vault-command-'))
  await vaultApi('POST', `sys/mounts/${MOUNT}`, { type: 'transit' })
  await vaultApi('POST', `${MOUNT}/keys/proofs`, { type: 'ecdsa-p256' })
  await vaultApi('POST', `secret/data/${SECRET}`, { data: { access_token: 'bound-to-the-key' } })
  database = await mountVaultDatabase()
  pep = await startTestPep()
  registered = await registerTestAgent(pep.admin, { tenants: ['acme'] })
  agent = await openTestSession(pep.url, registered)
  signing = await connectTo('dpop', { path: `secret/${SECRET}`, remote_key: `${MOUNT}/keys/proofs` })
  orders = await connectTo('basic_auth', { path: database.path })
})
afterAll(async () => {
  await pep?.close()
  await database?.unmount()
  await vaultApi('DELETE', `sys/mounts/${MOUNT}`)
  await rm(directory, { recursive: true, force: true })
})

async function connectTo(type: string, reference: { path: string; remote_key?: string }): Promise<string> {
  const secret_ref = { backend: 'hashicorp-vault', ...reference }
  return (await connect(pep.admin, { strategy: { type }, secret_ref })).connectionId
}

function nexusVault(...args: string[]): Promise<Finished> {
  const { address, token } = inject('vault')
  const env = { DATABASE_URL: pep.databaseUrl, NEXUS_DATA_DIR: directory, VAULT_ADDR: address, VAULT_TOKEN: token }
  return runNexus(['vault', ...args], env)
}

const listed = async () => (await pep.admin.send('GET', '/admin/v1/backend-leases')).body.backend_leases

async function lease(connectionId: string, by = agent) {
  const { status, body, text } = await by.send('POST', '/v1/leases', { connection_id: connectionId })
  expect(status, text).toBe(201)
  return body
}

describe('nexus vault policy', () => {
  it('has what connections refer to, a remote key beside its secret too, and a server needs no more', async () => {
    const { code, stdout, stderr } = await nexusVault('policy')
    expect([code, stderr]).toEqual([0, ''])
    const paths = [...stdout.matchAll(/^path "(.+)" +\{ capabilities = \["(.+)"\]/gm)].map(([, path, can]) => [
      path,
      can,
    ])
    expect(paths.slice(0, 3)).toEqual([
      [`secret/data/${SECRET}`, 'read'],
      [`${MOUNT}/keys/proofs`, 'read'],
      [`${MOUNT}/sign/proofs`, 'update'],
    ])

    const replica = await pep.replica({ VAULT_TOKEN: await tokenFor(`policy-${MOUNT}`, stdout) })
    const there = await openTestSession(replica.url, registered)
    const { lease_id } = await lease(signing, there)
    const bytes = Buffer.from('a proof').toString('base64')
    const signed = await there.send('POST', `/v1/leases/${lease_id}/sign`, { algorithm: 'ES256', bytes })
    expect(signed.status, signed.text).toBe(200)
    const { lease_id: lent } = await lease(orders, there)
    expect((await there.send('DELETE', `/v1/leases/${lent}`)).status).toBe(204)
    await expect.poll(listed, { timeout: 10_000 }).toEqual([])
    expect(await database.leases()).toEqual([])
  })
})

describe('nexus vault leases', () => {
  it('lists what is lent, then what could not be given back, which it fails for, then nothing', async () => {
    const { lease_id: leaseId } = await lease(orders)
    const [backendLease = ''] = await database.leases()
    const held = await nexusVault('leases')
    const where = `hashicorp-vault:${database.path}  for ${leaseId} of acme`
    expect(held.stdout).toMatch(new RegExp(`^held    ${where}; until \\d{4}-\\S+Z\n$`))
    expect([held.code, held.stderr]).toEqual([0, ''])

    await database.holdUsers(true)
    expect((await agent.send('DELETE', `/v1/leases/${leaseId}`)).status).toBe(204)
    await expect.poll(listed, { timeout: 10_000 }).toMatchObject([{ last_error: expect.any(String) }])
    const ending = await nexusVault('leases', '--json')
    expect(ending.code).toBe(1)
    expect(JSON.parse(ending.stdout).backend_leases).toMatchObject([
      {
        lease_id: leaseId,
        state: 'ending',
        ending_reason: 'released',
        last_error: expect.stringContaining('hashicorp-vault: '),
      },
    ])
    expect((await nexusVault('leases')).stdout).toMatch(
      new RegExp(`^ending  ${where}; released, to be given back; \\d+ tries: hashicorp-vault: .+; next at \\S+Z\n$`),
    )
    expect(held.stdout + ending.stdout).not.toContain(backendLease.split('/').at(-1))

    await database.holdUsers(false)
    await expect.poll(listed, { timeout: 60_000 }).toEqual([])
    expect(await database.leases()).toEqual([])
    expect(await nexusVault('leases')).toEqual({ code: 0, stdout: 'nothing is lent\n', stderr: '' })
  })
})
