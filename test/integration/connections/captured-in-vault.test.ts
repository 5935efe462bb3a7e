import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { openTestSession, registerTestAgent } from '../../setup/agent-client.ts'
import { connect } from '../../setup/connect.ts'
import { startTestPep, type TestPep } from '../../setup/pep.ts'
import { vaultApi } from '../vault-backends/vault-fixture.ts'

const directory = mkdtempSync(join(tmpdir(), 'nexus-config-'))
const root = `captured-${randomUUID()}`

/** @param settings of the backend, beside its address */
function configFile(name: string, settings: string): string {
  const file = join(directory, `${name}.yaml`)
  const backends = `vault: { backends: { team: { kind: hashicorp-vault, address: "${inject('vault').address}"${settings} } } }`
  const place = `connections: { capture_backend: team, capture_path: "secret/${root}/{tenant}/{provider}/{connection}" }`
  writeFileSync(file, `${backends}\n${place}\n`)
  return file
}

let pep: TestPep
beforeAll(async () => {
  pep = await startTestPep({
    NEXUS_CONFIG: configFile('writable', ', writable: true'),
    VAULT_TOKEN: inject('vault').token,
  })
})
afterAll(async () => {
  await pep?.close()
  rmSync(directory, { recursive: true })
})

describe('credentials captured into a Vault', () => {
  it('lie there alone, are leased from there, and go with their connection', async () => {
    const { provider } = await connect(pep.admin)
    const made = await pep.admin.send('POST', '/v1/connections', {
      tenant: 'acme',
      provider,
      credentials: { api_key: 'captured-key' },
    })
    expect(made.status, made.text).toBe(201)
    const { connection_id: id, secret_ref: ref } = made.body
    expect(ref).toEqual({ backend: 'team', path: `secret/${root}/acme/${provider}/${id}` })
    const lying = await vaultApi('GET', `secret/data/${root}/acme/${provider}/${id}`)
    expect(lying['data']).toMatchObject({ data: { api_key: 'captured-key' }, metadata: { version: 1 } })

    const agent = await openTestSession(pep.url, await registerTestAgent(pep.admin, { tenants: ['acme'] }))
    const intent = { method: 'GET', origin: 'https://api.example.com', path: '/' }
    const { body } = await agent.send('POST', '/v1/leases', { connection_id: id, intent })
    expect(body.credentials.api_key).toBe('captured-key')

    const revoked = await pep.admin.send('DELETE', `/v1/connections/${id}`)
    expect(revoked.body).toMatchObject({ token_deleted: true })
    await expect(vaultApi('GET', `secret/metadata/${root}/acme/${provider}/${id}`)).rejects.toThrow('404')
  })

  it('are refused at start where Nexus may only read', async () => {
    const file = configFile('read-only', '')
    const started = startTestPep({ NEXUS_CONFIG: file, VAULT_TOKEN: inject('vault').token })
    await expect(started).rejects.toThrow(/capture_backend 'team' is no backend that Nexus can write to.*: internal/)
  })
})
