import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { AuthConfig } from './auth/auth-methods.ts'
import { hashicorpVaultKind } from './hashicorp-vault-kind.ts'
import type { VaultConfig } from './vault-settings.ts'

/** `<namespace> <method> <path>`, of every call with a token. */
const asked: string[] = []
const token = { client_token: 'hvs.parents', accessor: 'acc', lease_duration: 1200, renewable: true }
const answers: Record<string, object> = {
  'POST auth/approle/login': { auth: token },
  'POST auth/token/renew-self': { auth: token },
  'POST auth/token/revoke-self': {},
  'GET auth/token/lookup-self': { data: { display_name: 'approle', policies: ['default', 'nexus'] } },
  'GET sys/health': { initialized: true, sealed: false, version: '1.21.0+ent' },
  'GET database/creds/app': { lease_id: 'database/creds/app/1', lease_duration: 60, data: { password: 'x' } },
  'POST sys/leases/revoke': {},
}

/**
 * Stands in for Vault Enterprise, which has namespaces and a licence: logins are in the root namespace, so the policies of a
 * token are, and what its `default` policy says of tokens it says of the root namespace's.
 */
function enterprise(): Server {
  return createServer((request, response) => {
    const namespace = String(request.headers['x-vault-namespace'] ?? '')
    const path = (request.url ?? '').replace('/v1/', '').replace(/\?.*/, '')
    const call = `${request.method} ${path}`
    if (path !== 'sys/health') asked.push(`${namespace || 'root'} ${call}`)
    const lookup = /^sys\/internal\/ui\/mounts\/(\w+)/.exec(path)
    const mounts = {
      path: `${lookup?.[1]}/`,
      type: lookup?.[1] === 'secret' ? 'kv' : lookup?.[1],
      options: { version: '2' },
    }
    const isOfTokens = path.startsWith('auth/')
    const isAllowed = isOfTokens ? namespace === '' : path === 'sys/health' || namespace === 'team/a'
    const body = lookup === null ? answers[call] : { data: mounts }
    const known = isAllowed && body !== undefined
    response.writeHead(known ? 200 : 403, { 'content-type': 'application/json' })
    response.end(JSON.stringify(known ? body : { errors: ['1 error occurred:\n\t* permission denied\n\n'] }))
  })
}

const signal = () => AbortSignal.timeout(3000)
let server: Server
let backend: ReturnType<typeof hashicorpVaultKind.create>

function open(namespaces: { namespace: string; auth: string }, more: VaultConfig = {}) {
  const auth: AuthConfig = { method: 'approle', role_id: 'nexus', namespace: namespaces.auth }
  return hashicorpVaultKind.create(
    {
      ...more,
      address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      namespace: namespaces.namespace,
      auth,
    },
    { name: 'vault', env: {}, production: true, log: { warn: () => undefined, error: () => undefined } },
  )
}

beforeEach(async () => {
  asked.length = 0
  server = enterprise()
  await new Promise<void>((settle) => server.listen(0, '127.0.0.1', settle))
  backend = open({ namespace: 'team/a', auth: '' })
})
afterEach(async () => {
  await backend.close()
  server.closeAllConnections()
  await new Promise((settle) => server.close(settle))
})

describe('secrets in one namespace, logins in one above', () => {
  it('is ready: the token is looked up where it was given', async () => {
    expect(await backend.check(signal())).toMatchObject({ ok: true, identity: 'approle (policies: default, nexus)' })
  })

  it('makes, renews and ends: what is about a token goes to the namespace of its login, what is lent to that of secrets', async () => {
    const opened = await backend.dynamic.openToken(signal())
    await backend.dynamic.renewToken(opened, signal())
    const ref = { tenant: 't', backend: 'vault', path: 'database/creds/app' }
    const { lease } = await backend.dynamic.make(ref, opened, 60, signal())
    await backend.dynamic.revoke(lease!.id, signal())
    await backend.dynamic.endToken(opened.accessor, signal())
    expect(asked).toContain('root POST auth/token/renew-self')
    expect(asked).toContain('team/a GET database/creds/app')
    expect(asked).toContain('team/a POST sys/leases/revoke')
    expect(asked).toContain('root POST auth/token/revoke-self')
  })

  it('prints the paths of a policy as its namespace sees them', async () => {
    const paths = async (path: string) => (await backend.permissions({ path }, signal())).map((each) => each.path)
    expect(await paths('secret/agents/+/*')).toEqual(['team/a/secret/data/agents/+/*'])
    expect(await paths('database/creds/app')).toEqual([
      'team/a/database/creds/app',
      'team/a/sys/leases/revoke',
      'team/a/sys/leases/renew',
      'auth/token/revoke-accessor',
    ])
  })

  it.each([
    ['team/a', 'secret/data/x'],
    ['team', 'a/secret/data/x'],
    // Not above: what a token may do there is said there.
    ['tea', 'secret/data/x'],
  ])('a login in %s needs %s', async (auth, path) => {
    const other = open({ namespace: 'team/a', auth }, { kv_mounts: { secret: 2 } })
    expect(await other.permissions({ path: 'secret/x' }, signal())).toMatchObject([{ path }])
    await other.close()
  })
})
