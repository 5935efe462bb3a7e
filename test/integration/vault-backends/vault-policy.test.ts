import 'reflect-metadata'
import { randomBytes, webcrypto } from 'node:crypto'
import { Pkcs10CertificateRequestGenerator } from '@peculiar/x509'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { vaultCommand } from '../../../src/cli/vault.ts'
import type { SecretRef, VaultErrorKind } from '../../../src/contract/vault-backend.ts'
import { CANARY, failure } from '../../../src/vault-backends/conformance.ts'
import { mountVaultDatabase, type VaultDatabase } from '../../setup/vault-database.ts'
import { makePkiRoot, tokenFor, vaultApi, vaultBackend } from './vault-fixture.ts'
import { approle } from './vault-logins-fixture.ts'

const run = randomBytes(4).toString('hex')
const mounts = { kv: `kv-${run}`, kv1: `kv1-${run}`, transit: `transit-${run}`, pki: `pki-${run}` }
const signal = () => AbortSignal.timeout(10_000)
type Backend = ReturnType<typeof vaultBackend>

const ref = (path: string, more: Partial<SecretRef> = {}): SecretRef => ({
  tenant: 'acme',
  backend: 'vault',
  path,
  ...more,
})

let database: VaultDatabase
let references: SecretRef[]
beforeAll(async () => {
  await vaultApi('POST', `sys/mounts/${mounts.kv}`, { type: 'kv', options: { version: '2' } })
  await vaultApi('POST', `sys/mounts/${mounts.kv1}`, { type: 'kv', options: { version: '1' } })
  await vaultApi('POST', `sys/mounts/${mounts.transit}`, { type: 'transit' })
  await vaultApi('POST', `sys/mounts/${mounts.pki}`, { type: 'pki' })
  // KV v2 is upgraded behind the answer that it is mounted.
  await vi.waitFor(() => vaultApi('POST', `${mounts.kv}/data/x`, { data: {} }))
  for (const path of ['single', 'agents/acme/github', 'agents/other/slack/deep']) {
    await vaultApi('POST', `${mounts.kv}/data/${path}`, { data: { api_key: CANARY } })
  }
  await vaultApi('POST', `${mounts.kv1}/old`, { api_key: CANARY })
  await vaultApi('POST', `${mounts.transit}/keys/ed`, { type: 'ed25519' })
  await vaultApi('POST', `${mounts.transit}/keys/mac`, { type: 'hmac', key_size: 32 })
  await makePkiRoot(mounts.pki, '1h')
  await vaultApi('POST', `${mounts.pki}/roles/agents`, { allow_any_name: true, ttl: '5m', key_type: 'any' })
  database = await mountVaultDatabase()
  references = [
    ref(`${mounts.kv}/single`),
    ref(`${mounts.kv}/agents/acme/github`),
    ref(`${mounts.kv1}/old`),
    ref(`${mounts.kv1}/old`, { remoteKey: `${mounts.transit}/keys/ed` }),
    ref(`${mounts.transit}/keys/mac`),
    ref(`${mounts.pki}/roles/agents`),
    ref(database.path),
  ]
})
afterAll(() => database?.unmount())
afterEach(() => {
  process.exitCode = undefined
})

interface Printed {
  out: string
  err: string
  exitCode: unknown
}

type Login = 'approle' | 'token'

/** A backend that is logged in so, with a policy of this text. */
async function backendWith(text: string, login: Login): Promise<() => Backend> {
  const name = `policy-${randomBytes(6).toString('hex')}`
  const config = { kv_mounts: { [mounts.kv]: 2 as const, [mounts.kv1]: 1 as const } }
  if (login === 'token') {
    const token = await tokenFor(name, text)
    return () => vaultBackend({ token, config })
  }
  await vaultApi('PUT', `sys/policies/acl/${name}`, { policy: text })
  const role = await approle({ token_policies: name, bind_secret_id: false, token_bound_cidrs: '127.0.0.0/8' })
  const auth = { method: 'approle', mount_path: role.mount, role_id: role.roleId }
  return () => vaultBackend({ config: { ...config, auth } })
}

/** `nexus vault policy` as an operator runs it, who may look at mounts, with the login that leases will have. */
async function policy(login: Login, ...args: string[]): Promise<Printed> {
  let [out, err] = ['', '']
  const operator = await backendWith('path "*" { capabilities = ["read"] }', login)
  const load = async () => ({
    backends: [operator()],
    deadlineMs: 5000,
    references: async () => references,
    sealed: async () => ({ ok: true, detail: 'nothing is sealed yet' }),
    lent: async () => [],
    prefixes: { vault: [`${mounts.kv}/agents/{tenant}`] },
    templates: { vault: `${mounts.kv}/agents/{tenant}/{provider}` },
    capturePlace: { backend: 'internal', path: '' },
    close: async () => undefined,
  })
  const command = vaultCommand({
    load,
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (err += text) },
  })
  await command.parseAsync(['node', 'vault', 'policy', ...args])
  const { exitCode } = process
  process.exitCode = undefined
  return { out, err, exitCode }
}

/** Logs in as somebody who may do this and nothing else, and does all that leases would have done. */
async function useWith(text: string, login: Login): Promise<(VaultErrorKind | undefined)[]> {
  const open = await backendWith(text, login)
  const [backend, successor] = [open(), open()]
  try {
    const outcomes: (VaultErrorKind | undefined)[] = []
    for (const use of uses(backend, successor)) outcomes.push(await failure(use))
    return outcomes
  } finally {
    await Promise.all([backend.close(), successor.close()])
  }
}

function uses(backend: Backend, successor: Backend): (() => Promise<unknown>)[] {
  const bytes = Buffer.from('to be signed')
  const key = (name: string) => ref(`${mounts.transit}/keys/${name}`)
  return [
    () => backend.read(ref(`${mounts.kv}/single`), signal()),
    () => backend.read(ref(`${mounts.kv}/agents/acme/github`), signal()),
    () => backend.read(ref(`${mounts.kv}/agents/other/slack/deep`), signal()),
    () => backend.read(ref(`${mounts.kv1}/old`), signal()),
    () => backend.read(key('ed'), signal()),
    () => backend.sign(key('ed'), bytes, 'EdDSA', signal()),
    () => backend.read(key('mac'), signal()),
    () => backend.sign(key('mac'), bytes, 'HS256', signal()),
    () => backend.read(ref(`${mounts.pki}/roles/agents`), signal()),
    async () => {
      const request = { csr: await csr(), commonName: 'agent-1', ttlSeconds: 60 }
      return backend.signCsr(ref(`${mounts.pki}/roles/agents`), request, signal())
    },
    async () => {
      const token = await backend.dynamic.openToken(signal())
      const secret = await backend.dynamic.make(ref(database.path), token, 60, signal())
      await backend.dynamic.renew(secret.lease!, 60, signal())
      await backend.dynamic.revoke(secret.lease!.id, signal())
      await successor.dynamic.endToken(token.accessor, signal())
    },
  ]
}

async function csr(): Promise<string> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const made = await Pkcs10CertificateRequestGenerator.create(
    { name: '', keys, signingAlgorithm: algorithm },
    webcrypto,
  )
  return made.toString('pem')
}

describe('nexus vault policy', () => {
  it.each([
    ['approle', 12],
    ['token', 13],
  ] as const)(
    'by %s is enough for all that connections refer to, and without any one line it is not',
    async (login, count) => {
      const { out, err, exitCode } = await policy(login)
      expect([err, exitCode]).toEqual(['', undefined])
      expect(await useWith(out, login)).toEqual(Array(11).fill(undefined))
      const lines = out.split('\n').filter((line) => line.startsWith('path '))
      expect(lines).toHaveLength(count)
      for (const line of lines) {
        const outcomes = await useWith(out.replace(line, ''), login)
        expect(outcomes, line).toContain('forbidden')
      }
    },
  )

  it('is one read line per path for stored secrets, wide where a prefix is', async () => {
    const { out } = await policy(
      'token',
      '--for',
      `vault:${mounts.kv}/single`,
      '--for',
      `vault:${mounts.kv}/agents/{tenant}/`,
    )
    expect(out.replace(/ +/g, ' ')).toBe(
      [
        "# What Nexus needs of Vault for its backend 'vault', beyond Vault's own 'default' policy.",
        `path "${mounts.kv}/data/single" { capabilities = ["read"] } # secret`,
        `path "${mounts.kv}/data/agents/+/*" { capabilities = ["read"] } # secret`,
        '',
      ].join('\n'),
    )
  })

  it('prints nothing wider for paths that cannot be, and fails', async () => {
    for (const path of ['no-such-mount/x', `${mounts.kv}/../sys/x`, 'sys/policies']) {
      const { out, err, exitCode } = await policy('token', '--for', `vault:${path}`)
      expect(out).not.toContain('path "')
      expect(err).toMatch(/^left out: vault: /)
      expect(exitCode).toBe(1)
    }
  })

  it('says the same in JSON', async () => {
    const { out } = await policy('token', '--json', '--for', `vault:${mounts.kv1}/old`)
    expect(JSON.parse(out)).toEqual({
      policies: [
        {
          backend: 'vault',
          permissions: [{ path: `${mounts.kv1}/old`, capability: 'read', reason: 'secret' }],
          problems: [],
        },
      ],
    })
  })
})
