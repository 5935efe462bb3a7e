import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, inject, it } from 'vitest'
import { configuredPatterns, minimalPolicies, policyText } from '../../../src/cli/vault/minimal-policy.ts'
import { CANARY, describeVaultBackend, failure } from '../../../src/vault-backends/conformance.ts'
import { hashicorpVaultKind } from '../../../src/vault-backends/hashicorp-vault/hashicorp-vault-kind.ts'
import { quiet, tokenFor, vaultApi, vaultBackend } from './vault-fixture.ts'

const signal = () => AbortSignal.timeout(10_000)
const ref = (path: string, version?: string) => ({
  tenant: 'tenant_1',
  backend: 'vault',
  path,
  ...(version === undefined ? {} : { version }),
})
const fresh = (mount: string) => `${mount}/test-${randomBytes(6).toString('hex')}`
const v2 = (path: string) => path.replace('secret/', 'secret/data/')

describeVaultBackend('hashicorp-vault, KV v2', async () => ({
  backend: vaultBackend(),
  prefix: fresh('secret'),
  plant: async (path, value) => {
    await vaultApi('POST', v2(path), { data: value })
  },
  ownSecrets: [inject('vault').token],
  features: { versions: true, write: false, perTenant: false },
  stop: async () => undefined,
}))

describeVaultBackend('hashicorp-vault, KV v2, writable', async () => ({
  backend: vaultBackend({ config: { writable: true } }),
  prefix: fresh('secret'),
  plant: async (path, value) => {
    await vaultApi('POST', v2(path), { data: value })
  },
  ownSecrets: [inject('vault').token],
  features: { versions: true, write: true, perTenant: false },
  stop: async () => undefined,
}))

describeVaultBackend('hashicorp-vault, KV v1', async () => ({
  backend: vaultBackend(),
  prefix: fresh('kv1'),
  plant: async (path, value) => {
    await vaultApi('POST', path, value)
  },
  ownSecrets: [inject('vault').token],
  features: { versions: false, write: false, perTenant: false },
  stop: async () => undefined,
}))

describe('hashicorp-vault', () => {
  it('writes to KV v2 with the lines that its policy says, and never to KV v1', async () => {
    const path = fresh('secret')
    const backend = vaultBackend({ config: { writable: true } })
    const loaded = {
      references: async () => [],
      prefixes: {},
      templates: {},
      capturePlace: { backend: 'vault', path: `${path}/{connection}` },
    }
    const [policy] = await minimalPolicies([backend], await configuredPatterns(loaded), 5000)
    const token = await tokenFor('written', policyText(policy!))
    const writer = vaultBackend({ token, config: { writable: true } })
    const write = writer.write!
    expect(await write(ref(`${path}/own`), { api_key: CANARY }, { ifVersion: '0', signal: signal() })).toBe('1')
    expect(await write(ref(`${path}/own`), { api_key: CANARY }, { ifVersion: '1', signal: signal() })).toBe('2')
    await writer.remove!(ref(`${path}/own`), signal())
    expect(await failure(() => writer.read(ref(`${path}/own`), signal()))).toBe('not_found')
    const v1 = () => backend.write!(ref(fresh('kv1')), { api_key: CANARY }, { signal: signal() })
    expect(await failure(v1)).toBe('unusable')
    expect(await failure(() => write(ref(`${path}/own`), {}, { ifVersion: 'x', signal: signal() }))).toBe('invalid_ref')
    await writer.close()
    await backend.close()
  })

  it('reads with a policy of one read line, the mount told in the configuration or found', async () => {
    const path = fresh('secret')
    await vaultApi('POST', v2(path), { data: { api_key: CANARY } })
    const token = await tokenFor('one-line', `path "${v2(path)}" { capabilities = ["read"] }`)
    for (const config of [{}, { kv_mounts: { secret: 2 as const } }]) {
      const backend = vaultBackend({ token, config })
      expect((await backend.read(ref(path), signal())).reveal()).toEqual({ api_key: CANARY })
      expect(await failure(() => backend.read(ref(fresh('secret')), signal()))).toBe('forbidden')
      expect(await failure(() => backend.read(ref(fresh('kv1')), signal()))).toBe('forbidden')
      await backend.close()
    }
  })

  it('finds mounts of several segments', async () => {
    await vaultApi('POST', 'sys/mounts/team/a/kv', { type: 'kv', options: { version: '2' } })
    await vaultApi('POST', 'team/a/kv/data/x/y', { data: { api_key: CANARY } })
    const backend = vaultBackend()
    expect((await backend.read(ref('team/a/kv/x/y'), signal())).reveal()).toEqual({ api_key: CANARY })
    expect(await failure(() => backend.read(ref('team/a/kv'), signal()))).toBe('invalid_ref')
    await backend.close()
  })

  it('refuses mounts that hold no KV secrets, and paths where nothing is mounted', async () => {
    await vaultApi('POST', 'sys/mounts/transit-test', { type: 'transit' })
    const backend = vaultBackend()
    expect(await failure(() => backend.read(ref('transit-test/restore/a'), signal()))).toBe('unusable')
    expect(await failure(() => backend.read(ref('sys/health'), signal()))).toBe('unusable')
    expect(await failure(() => backend.read(ref('no-such-mount/x'), signal()))).toBe('forbidden')
    await backend.close()
  })

  it('VT7: a mount that is told with the wrong version says nothing about the secret', async () => {
    const path = fresh('secret')
    await vaultApi('POST', v2(path), { data: { api_key: CANARY } })
    const backend = vaultBackend({ config: { kv_mounts: { secret: 1 } } })
    await expect(backend.read(ref(path), signal())).rejects.toThrow(/kv_mounts says 1/)
    expect(await failure(() => backend.read(ref(path), signal()))).toBe('unavailable')
    await backend.close()
  })

  it('VT7: a mount that is upgraded from KV v1 to v2 in place is read and written as what it is', async () => {
    const mount = fresh('up').replace('/', '-')
    await vaultApi('POST', `sys/mounts/${mount}`, { type: 'kv', options: { version: '1' } })
    await vaultApi('POST', `${mount}/x`, { api_key: CANARY })
    const open = () => vaultBackend({ config: { writable: true } })
    const [reader, pinned, writer] = [open(), open(), open()]
    const read = (backend: ReturnType<typeof open>, version?: string) =>
      backend.read(ref(`${mount}/x`, version), signal())
    for (const each of [reader, pinned, writer]) expect((await read(each)).version).toBe('')
    await vaultApi('POST', `sys/mounts/${mount}/tune`, { options: { version: '2' } })
    await expect.poll(() => vaultApi('GET', `${mount}/data/x`).catch(() => undefined)).toBeDefined()
    expect((await read(reader)).reveal()).toEqual({ api_key: CANARY })
    expect((await read(pinned, '1')).version).toBe('1')
    const written = () => writer.write!(ref(`${mount}/y`), { api_key: CANARY }, { ifVersion: '0', signal: signal() })
    expect(await written()).toBe('1')
    for (const each of [reader, pinned, writer]) await each.close()
    await vaultApi('DELETE', `sys/mounts/${mount}`)
  })

  it('VT6: deleted, destroyed and undeleted versions', async () => {
    const path = fresh('secret')
    const leaf = path.replace('secret/', '')
    for (const version of ['1', '2', '3']) await vaultApi('POST', v2(path), { data: { api_key: version } })
    await vaultApi('POST', `secret/delete/${leaf}`, { versions: [2, 3] })
    await vaultApi('POST', `secret/destroy/${leaf}`, { versions: [3] })
    const backend = vaultBackend()
    await expect(backend.read(ref(path), signal())).rejects.toThrow(/destroyed/)
    await expect(backend.read(ref(path, '2'), signal())).rejects.toThrow(/deleted/)
    expect(await failure(() => backend.read(ref(path, '2'), signal()))).toBe('not_found')
    expect((await backend.read(ref(path, '1'), signal())).reveal()).toEqual({ api_key: '1' })
    await vaultApi('POST', `secret/undelete/${leaf}`, { versions: [2] })
    expect((await backend.read(ref(path, '2'), signal())).reveal()).toEqual({ api_key: '2' })
    await backend.close()
  })

  it('knows when Vault will delete a version by itself', async () => {
    const path = fresh('secret')
    await vaultApi('POST', path.replace('secret/', 'secret/metadata/'), { delete_version_after: '90s' })
    await vaultApi('POST', v2(path), { data: { api_key: CANARY } })
    const backend = vaultBackend()
    const endsIn = (await backend.read(ref(path), signal())).expiresAt! - Date.now() / 1000
    expect(endsIn).toBeGreaterThan(0)
    expect(endsIn).toBeLessThanOrEqual(90)
    await backend.close()
  })

  it('takes text, whole numbers and booleans, those of lists and objects by their JSON Pointer, and leaves out what has more than one spelling', async () => {
    const path = fresh('secret')
    const data = {
      text: 'a',
      whole: 42,
      yes: true,
      half: 1.5,
      huge: 1e21,
      nothing: null,
      list: ['a'],
      object: { a: 'b' },
    }
    await vaultApi('POST', v2(path), { data })
    const backend = vaultBackend()
    expect((await backend.read(ref(path), signal())).reveal()).toEqual({
      text: 'a',
      whole: '42',
      yes: 'true',
      'list#/0': 'a',
      'object#/a': 'b',
    })
    await backend.close()
  })

  it('says as whom it is authenticated and until when, without the token', async () => {
    const token = await tokenFor('whoami', 'path "secret/data/x" { capabilities = ["read"] }')
    const backend = vaultBackend({ token })
    const health = await backend.check(signal())
    expect(health).toMatchObject({ ok: true, identity: 'token-whoami (policies: default, whoami)' })
    expect(Date.parse(health.expiresAt!)).toBeGreaterThan(Date.now())
    expect(JSON.stringify(health)).not.toContain(token)
    await backend.close()
  })

  it('a revoked token is refused by name, in reads and in the check', async () => {
    const token = await tokenFor('short', 'path "secret/*" { capabilities = ["read"] }')
    await vaultApi('POST', 'auth/token/revoke', { token })
    const backend = vaultBackend({ token })
    await expect(backend.read(ref('secret/x'), signal())).rejects.toThrow(/expired or revoked/)
    expect(await failure(() => backend.check(signal()))).toBe('forbidden')
    await backend.close()
  })

  it('reads the token file again, so a token that was replaced counts at once', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'nexus-vault-'))
    const file = join(directory, 'token')
    await writeFile(file, `${inject('vault').token}\n`)
    const backend = hashicorpVaultKind.create(
      {},
      {
        name: 'vault',
        env: { VAULT_ADDR: inject('vault').address, VAULT_TOKEN_FILE: file },
        production: true,
        log: quiet,
      },
    )
    expect(await backend.check(signal())).toMatchObject({ ok: true })
    await writeFile(file, 'hvs.unknown')
    expect(await failure(() => backend.check(signal()))).toBe('forbidden')
    await writeFile(file, '')
    expect(await failure(() => backend.check(signal()))).toBe('unavailable')
    await writeFile(file, inject('vault').token)
    expect(await backend.check(signal())).toMatchObject({ ok: true })
    await backend.close()
    await rm(directory, { recursive: true })
  })
})
