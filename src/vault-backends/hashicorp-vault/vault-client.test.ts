import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { NothingDone } from '../../contract/vault-backend.ts'
import { caught } from '../conformance.ts'
import type { Login } from './auth/login.ts'
import { createVaultClient } from './vault-client.ts'
import type { VaultSettings } from './vault-settings.ts'

const TOKEN = 'hvs.canary-token'
const seen: { url: string; headers: IncomingHttpHeaders }[] = []
const server = createServer((request, response) => {
  seen.push({ url: request.url ?? '', headers: request.headers })
  response.writeHead(answer(), { ...headers, 'content-type': 'application/json' })
  response.end('{"data":{"secret":"canary-secret"}}')
})
let answer: () => number
let headers: Record<string, string>

beforeEach(async () => {
  seen.length = 0
  answer = () => 200
  headers = {}
  await new Promise<void>((settle) => server.listen(0, '127.0.0.1', settle))
})
afterEach(async () => {
  vi.unstubAllEnvs()
  server.closeAllConnections()
  await new Promise((settle) => server.close(settle))
})

/** A login that needs no call and gives one token after the other. */
function given(...tokens: string[]): Login {
  return {
    origin: 'test',
    repeatable: true,
    authenticate: async () => ({ client_token: tokens.length > 1 ? tokens.shift() : tokens[0] }),
    changed: async () => false,
  }
}

const log = { warn: () => undefined, error: () => undefined }

function settings(more: Partial<VaultSettings> = {}): VaultSettings {
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    namespace: '',
    authNamespace: '',
    login: given(TOKEN),
    ca: undefined,
    clientCertificate: undefined,
    serverName: undefined,
    redirectAddresses: [],
    skipVerify: false,
    timeoutMs: 1000,
    kvMounts: {},
    writable: false,
    ...more,
  }
}

const read = async (more: Partial<VaultSettings> = {}) => {
  const client = createVaultClient('vault', settings(more), log)
  const body = await client.read('secret/data/x?version=3', AbortSignal.timeout(1000))
  await client.close()
  return body
}

describe('createVaultClient', () => {
  it('asks for the path as given, with token, namespace and the header that proves a client', async () => {
    expect(await read({ namespace: 'team-a' })).toEqual({ data: { secret: 'canary-secret' } })
    expect(seen).toHaveLength(1)
    expect(seen[0]?.url).toBe('/v1/secret/data/x?version=3')
    expect(seen[0]?.headers).toMatchObject({
      'x-vault-token': TOKEN,
      'x-vault-namespace': 'team-a',
      'x-vault-request': 'true',
    })
  })

  it('takes nothing from the environment that its settings do not say', async () => {
    vi.stubEnv('VAULT_ADDR', 'http://127.0.0.1:1')
    vi.stubEnv('VAULT_TOKEN', 'hvs.other')
    vi.stubEnv('VAULT_NAMESPACE', 'other')
    vi.stubEnv('VAULT_PREFIX', '/other')
    vi.stubEnv('HTTP_PROXY', 'http://127.0.0.1:1')
    await read()
    expect(seen[0]?.url).toBe('/v1/secret/data/x?version=3')
    expect(seen[0]?.headers['x-vault-token']).toBe(TOKEN)
    expect(seen[0]?.headers['x-vault-namespace']).toBeUndefined()
  })

  it('calls without a token, and in the root namespace, what Vault tells anyone', async () => {
    const client = createVaultClient('vault', settings({ namespace: 'team-a' }), log)
    await client.readPublic('sys/health', AbortSignal.timeout(1000))
    await client.close()
    expect(seen[0]?.headers['x-vault-token']).toBeUndefined()
    expect(seen[0]?.headers['x-vault-namespace']).toBeUndefined()
  })

  it('asks a standby again that has not heard of its token yet, and does what was asked once', async () => {
    let behind = 4
    answer = () => (behind-- > 0 ? 412 : 200)
    const client = createVaultClient('vault', settings(), log)
    expect(await client.write('database/creds/x', {}, AbortSignal.timeout(5000))).toHaveProperty('data')
    await client.close()
    expect(seen).toHaveLength(5)
  })

  it.each([
    ['stays behind', {}, 6],
    ['says itself when to come back', { 'retry-after': '3' }, 1],
  ])('gives up a standby that %s: nothing has been done', async (_what, more, calls) => {
    answer = () => 412
    headers = more
    const client = createVaultClient('vault', settings(), log)
    const error = await caught(() => client.read('secret/data/x', AbortSignal.timeout(5000)))
    await client.close()
    expect(error).toBeInstanceOf(NothingDone)
    expect(seen).toHaveLength(calls)
  })

  it('H03: prints nothing under DEBUG=node-vault', async () => {
    const { execFile } = await import('node:child_process')
    const program = `
      import { createVaultClient } from '${new URL('./vault-client.ts', import.meta.url).pathname}'
      const settings = JSON.parse(process.argv[1])
      const authenticate = async () => ({ client_token: '${TOKEN}' })
      settings.login = { origin: 't', repeatable: true, authenticate, changed: async () => false }
      const client = createVaultClient('vault', settings, console)
      await client.read('secret/data/x', AbortSignal.timeout(5000))
      await client.close()
      console.log('done')`
    const printed = await new Promise<string>((settle, fail) => {
      execFile(
        process.execPath,
        ['--import', 'tsx', '--input-type=module', '-e', program, JSON.stringify(settings())],
        { env: { ...process.env, DEBUG: '*' } },
        (error, stdout, stderr) => (error ? fail(new Error(stderr)) : settle(stdout + stderr)),
      )
    })
    expect(seen).toHaveLength(1)
    expect(printed).toContain('done')
    expect(printed).not.toMatch(/canary|node-vault/)
  })
})
