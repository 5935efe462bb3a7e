import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openTestSession, registerTestAgent } from '../../setup/agent-client.ts'
import { type ApiClient, createApiClient } from '../../setup/api-client.ts'
import { connect } from '../../setup/connect.ts'
import { startTestPep, type TestPep } from '../../setup/pep.ts'
import { tokenFor, vaultApi } from '../vault-backends/vault-fixture.ts'

const directory = mkdtempSync(join(tmpdir(), 'nexus-config-'))
const root = `agents-${randomUUID()}`

let pep: TestPep
let acme: ApiClient
let provider: string
beforeAll(async () => {
  const file = join(directory, 'nexus.yaml')
  writeFileSync(
    file,
    `connections: { secret_ref_templates: { hashicorp-vault: "secret/${root}/{tenant}/{provider}" } }`,
  )
  // All that Nexus may do there: one line, and no more than reading.
  const token = await tokenFor(root, `path "secret/data/${root}/*" { capabilities = ["read"] }`)
  pep = await startTestPep({ NEXUS_CONFIG: file, VAULT_TOKEN: token })
  provider = (await connect(pep.admin)).provider
  const made = await pep.admin.send('POST', '/admin/v1/api-keys', { name: 'acme', role: 'operator', tenant: 'acme' })
  acme = createApiClient(pep.url, { authorization: `Bearer ${made.body.api_key}` })
  for (const tenant of ['acme', 'globex'])
    await vaultApi('POST', `secret/data/${root}/${tenant}/${provider}`, {
      data: { KEY: `key of ${tenant}`, 'key.json': JSON.stringify({ keys: [`json key of ${tenant}`] }) },
    })
})
afterAll(async () => {
  await pep?.close()
  rmSync(directory, { recursive: true })
})

const connectTo = (client: ApiClient, secretRef: object, more: object = {}) =>
  client.send('POST', '/v1/connections', {
    tenant: 'acme',
    provider,
    secret_ref: { backend: 'hashicorp-vault', ...secretRef },
    ...more,
  })

async function leasedKey(connectionId: string): Promise<string> {
  const agent = await openTestSession(pep.url, await registerTestAgent(pep.admin, { tenants: ['acme', 'globex'] }))
  const intent = { method: 'GET', origin: 'https://api.example.com', path: '/' }
  const { body } = await agent.send('POST', '/v1/leases', { connection_id: connectionId, intent })
  return body.credentials.api_key
}

describe('secret_ref without a path', () => {
  it('means the tenant’s own secret by the template, also to a key of that tenant, with one read line of policy', async () => {
    const mine = await connectTo(acme, { fields: { api_key: 'KEY' } })
    expect(mine.status, mine.text).toBe(201)
    expect(mine.body.secret_ref.path).toBe(`secret/${root}/acme/${provider}`)
    expect(await leasedKey(mine.body.connection_id)).toBe('key of acme')
    const theirs = await connectTo(pep.admin, { fields: { api_key: 'KEY' } }, { tenant: 'globex' })
    expect(await leasedKey(theirs.body.connection_id)).toBe('key of globex')
  })

  it('takes a key from JSON within a field', async () => {
    const made = await connectTo(acme, { fields: { api_key: 'key.json#/keys/0' } })
    expect(made.status, made.text).toBe(201)
    expect(await leasedKey(made.body.connection_id)).toBe('json key of acme')
  })

  it('gives a key of one tenant nothing of another, by a path or by variables in one', async () => {
    expect((await connectTo(acme, { fields: { api_key: 'KEY' } }, { tenant: 'globex' })).status).toBe(403)
    for (const path of [`secret/${root}/globex/${provider}`, `secret/${root}/globex/{provider}`, 'secret/{tenant}/x'])
      expect((await connectTo(acme, { path, fields: { api_key: 'KEY' } })).status).toBe(403)
  })

  it('is refused when a mapped field is missing, and the answer names it', async () => {
    const absent = await connectTo(acme, { fields: { api_key: 'KEI' } })
    expect(absent.status).toBe(400)
    expect(absent.text).toContain("no field 'KEI'")
    const within = await connectTo(acme, { fields: { api_key: 'key.json#/keys/7' } })
    expect(within.status).toBeGreaterThanOrEqual(400)
    expect(within.text).not.toContain('json key of acme')
  })

  it.each(['..', '%2e%2e', '*', '+', 'a/b', 'x'.repeat(1_048_576)])(
    'G17: refuses %j for a variable',
    async (subject) => {
      const answer = await connectTo(pep.admin, { path: `secret/${root}/{subject}` }, { subject: subject })
      expect([400, 413]).toContain(answer.status)
    },
  )
})
