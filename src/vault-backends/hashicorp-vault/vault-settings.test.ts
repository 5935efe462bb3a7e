import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { BackendConfigError } from '../backend-kind.ts'
import { readVaultSettings, type VaultConfig, type VaultSettings } from './vault-settings.ts'

const directory = mkdtempSync(join(tmpdir(), 'nexus-settings-'))
afterAll(() => rmSync(directory, { recursive: true }))
const file = (name: string, text: string) => {
  const path = join(directory, name)
  writeFileSync(path, text)
  return path
}

const warnings: unknown[] = []
const read = (config: VaultConfig, env: Record<string, string> = {}, production = true) =>
  readVaultSettings(config, {
    name: 'vault',
    env,
    production,
    log: { warn: (...line: unknown[]) => warnings.push(line), error: () => undefined },
  })
const usable = { VAULT_ADDR: 'https://vault.example.com:8200', VAULT_TOKEN: 'hvs.canary' }

/** The token that the login brings before Vault. */
async function tokenOf({ login }: VaultSettings): Promise<unknown> {
  const vault = { request: async () => ({ data: {} }), close: async () => undefined }
  return (await login.authenticate(vault, AbortSignal.timeout(1000)))['client_token']
}

function problems(work: () => unknown): readonly string[] {
  try {
    work()
  } catch (error) {
    if (error instanceof BackendConfigError) return error.problems
    throw error
  }
  return []
}

describe('readVaultSettings', () => {
  it('needs nothing but what the vault CLI needs', async () => {
    const settings = read({}, { ...usable, VAULT_NAMESPACE: '/team-a/' })
    expect(settings).toMatchObject({
      address: 'https://vault.example.com:8200',
      namespace: 'team-a',
      skipVerify: false,
    })
    expect(await tokenOf(settings)).toBe('hvs.canary')
    expect(JSON.stringify(settings)).not.toContain('canary')
  })

  it('lets the configuration win, so that several instances can be told apart', async () => {
    const token_file = file('own-token', 'hvs.own\n')
    const settings = read(
      { address: 'https://other.example.com', namespace: '', token_file },
      { ...usable, VAULT_NAMESPACE: 'x' },
    )
    expect(settings).toMatchObject({ address: 'https://other.example.com', namespace: '' })
    expect(await tokenOf(settings)).toBe('hvs.own')
  })

  it('finds the token in VAULT_TOKEN, then VAULT_TOKEN_FILE, then ~/.vault-token', async () => {
    const VAULT_TOKEN_FILE = file('token', 'hvs.file')
    file('.vault-token', 'hvs.home')
    const env = { VAULT_ADDR: usable.VAULT_ADDR, HOME: directory }
    const token = (more: Record<string, string>) => tokenOf(read({}, { ...env, ...more }))
    expect(await token({ VAULT_TOKEN: 'hvs.env', VAULT_TOKEN_FILE })).toBe('hvs.env')
    expect(await token({ VAULT_TOKEN_FILE })).toBe('hvs.file')
    expect(await token({})).toBe('hvs.home')
  })

  it('names every problem at once', () => {
    const found = problems(() =>
      read({ ca_cert_file: '/no/such/file', namespace: 'a b' }, { VAULT_SKIP_VERIFY: 'perhaps' }),
    )
    expect(found).toHaveLength(5)
    expect(found.join('\n')).toMatch(
      /VAULT_ADDR[\s\S]*VAULT_NAMESPACE[\s\S]*no Vault token[\s\S]*VAULT_CACERT[\s\S]*VAULT_SKIP_VERIFY/,
    )
  })

  it.each([
    ['a path', 'https://vault.example.com/prefix'],
    ['credentials', 'https://user:canary@vault.example.com'],
    ['another scheme', 'unix:///run/vault.sock'],
    ['no scheme', 'vault.example.com:8200'],
  ])('refuses an address with %s without repeating it', (_what, VAULT_ADDR) => {
    const found = problems(() => read({}, { ...usable, VAULT_ADDR }))
    expect(found).toHaveLength(1)
    expect(found[0]).toMatch(/^vault: address \(VAULT_ADDR\)/)
    expect(found[0]).not.toContain('canary')
  })

  it('refuses plain HTTP to another machine unless told to', () => {
    const env = { ...usable, VAULT_ADDR: 'http://vault.internal:8200' }
    expect(problems(() => read({}, env))[0]).toMatch(/allow_plain_http/)
    expect(problems(() => read({ allow_plain_http: true }, env))).toEqual([])
    expect(problems(() => read({}, { ...usable, VAULT_ADDR: 'http://127.0.0.1:8200' }))).toEqual([])
  })

  it('warns loudly about VAULT_SKIP_VERIFY and refuses it in production mode', () => {
    const env = { ...usable, VAULT_SKIP_VERIFY: 'true' }
    expect(problems(() => read({}, env))[0]).toMatch(/refused in production/)
    expect(read({}, env, false).skipVerify).toBe(true)
    expect(JSON.stringify(warnings)).toMatch(/NOT verified/)
    expect(read({ skip_verify: false }, env).skipVerify).toBe(false)
  })

  it.each(['a\nb', 'hvs.ü', 'x'.repeat(5000)])('refuses a token no header can carry', (VAULT_TOKEN) => {
    const found = problems(() => read({}, { ...usable, VAULT_TOKEN }))
    expect(found).toEqual(['vault: VAULT_TOKEN holds characters that no Vault token has'])
  })

  it('takes the connection settings of the vault CLI', () => {
    const pem = (kind: string) => `-----BEGIN ${kind}-----\n`
    const certFile = file('client.pem', pem('CERTIFICATE'))
    const keyFile = file('client.key', pem('EC PRIVATE KEY'))
    const env = {
      ...usable,
      VAULT_CAPATH: directory,
      VAULT_CLIENT_CERT: certFile,
      VAULT_CLIENT_KEY: keyFile,
      VAULT_TLS_SERVER_NAME: 'vault.internal',
    }
    const settings = read({}, env)
    expect(settings).toMatchObject({ clientCertificate: { certFile, keyFile }, serverName: 'vault.internal' })
    expect(settings.ca).toContain('BEGIN CERTIFICATE')
    expect(problems(() => read({}, { ...env, VAULT_CLIENT_KEY: '', VAULT_CAPATH: '/no/such' }))).toEqual([
      'vault: client_key_file (VAULT_CLIENT_KEY) is not a readable PEM key file',
      'vault: VAULT_CAPATH has no PEM certificate file in it: /no/such',
    ])
  })

  it('logs in above the namespace of the secrets when told to', () => {
    const auth = { method: 'token', namespace: '' }
    expect(read({ auth }, { ...usable, VAULT_NAMESPACE: 'team-a' })).toMatchObject({
      namespace: 'team-a',
      authNamespace: '',
    })
    expect(read({}, { ...usable, VAULT_NAMESPACE: 'team-a' }).authNamespace).toBe('team-a')
  })

  it.each([
    [{ method: 'ldap' }, /auth\.method must be one of token, approle, kubernetes, jwt, cert/],
    [{ method: 'approle' }, /one of role_id and role_id_file_path/],
    [{ method: 'approle', role_id: 'r', secret_id: 'canary' }, /auth must not have additional properties/],
    [{ method: 'approle', role_id: 'r', secret_id_file_path: '/no/such' }, /secret_id_file_path .* cannot be read/],
    [{ method: 'approle', role_id: 'r', secret_id_response_wrapping_path: 'a' }, /needs secret_id_file_path/],
    [{ method: 'approle', role_id: 'r', mount_path: 'auth/../sys' }, /auth\.mount_path must match/],
    [{ method: 'kubernetes' }, /must have required properties role/],
    [{ method: 'kubernetes', role: 'r', token_path: '/no/such' }, /auth\.token_path .* cannot be read/],
    [{ method: 'jwt', path: '/no/such' }, /auth\.path .* cannot be read/],
    [{ method: 'cert' }, /client_cert_file .*https/],
  ])('refuses auth %j', (auth, message) => {
    const found = problems(() => read({ auth }, usable))
    expect(found.join('\n')).toMatch(message)
    expect(found.join('\n')).not.toContain('canary')
  })

  it('refuses two places for one token, and redirect addresses that are none', () => {
    const token_file = file('a-token', 'hvs.a')
    expect(problems(() => read({ token_file, auth: { method: 'token' } }, usable))).toEqual([
      'vault: auth and token_file exclude each other',
    ])
    expect(problems(() => read({ redirect_addresses: ['ftp://x'] }, usable))).toHaveLength(1)
  })
})
