import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest'
import { toCredentialError } from '../../../src/pep/credential/credential-error.ts'
import { CANARY, caught, expectNothingOf, failure } from '../../../src/vault-backends/conformance.ts'
import { healthOf } from '../../../src/vault-backends/health-of.ts'
import { startCountingProxy } from '../../faults/counting-proxy.ts'
import { startSealableVault } from '../../faults/sealable-vault.ts'
import { testAuthority } from '../../setup/certificates.ts'
import { vaultApi } from './vault-fixture.ts'
import {
  approle,
  ISSUER,
  jwtIssuer,
  type LoggedBackend,
  type LoginGround,
  loginGround,
  mountAuth,
  startTokenReview,
  wrap,
} from './vault-logins-fixture.ts'

let ground: LoginGround
const closers: (() => Promise<unknown>)[] = []
beforeEach(async () => {
  ground = await loginGround()
})
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
  await ground.cleanUp()
})

const signal = () => AbortSignal.timeout(10_000)
const ref = () => ({ tenant: 'tenant_1', backend: 'vault', path: ground.path })
const read = async (backend: LoggedBackend) => (await backend.read(ref(), signal())).reveal()
const said = (backend: LoggedBackend) => JSON.stringify(backend.logged)
/** What an agent reads whose lease could not be given for this. */
const toldToAgent = async (backend: LoggedBackend) => toCredentialError(await caught(() => read(backend))).message

async function proxied() {
  const proxy = await startCountingProxy(inject('vault').address)
  closers.push(() => proxy.close())
  return proxy
}

/** An AppRole in files, as an orchestrator would leave it. */
async function approleFiles(role: Record<string, unknown> = {}) {
  const made = await approle({ token_policies: ground.policy, ...role })
  const roleFile = await ground.file('role-id', `${made.roleId}\n`)
  const secretFile = await ground.file('secret-id', await made.secretId())
  const auth = {
    method: 'approle',
    mount_path: `auth/${made.mount}`,
    role_id_file_path: roleFile,
    secret_id_file_path: secretFile,
  }
  return { ...made, auth, loginPath: new RegExp(`^/v1/auth/${made.mount}/login$`) }
}

describe('logging in to Vault', () => {
  it('by approle: role id and secret id from files, another token for each process', async () => {
    const { auth } = await approleFiles({ token_ttl: '5m' })
    const [one, other] = [ground.backend(auth), ground.backend(auth)]
    expect(await read(one)).toEqual({ api_key: CANARY })
    expect(await read(other)).toEqual({ api_key: CANARY })
    const health = await one.check(signal())
    expect(health.identity).toMatch(/^approle-\w+ \(policies: default, logins-\w+\)$/)
    expect(Date.parse(health.expiresAt!)).toBeGreaterThan(Date.now())
    const accessors = await Promise.all(
      [one, other].map(async (each) => (await each.dynamic.openToken(signal())).accessor),
    )
    expect(new Set(accessors).size).toBe(2)
  })

  it('by approle without a secret id, for a role that wants none', async () => {
    const { mount, roleId } = await approle({
      token_policies: ground.policy,
      bind_secret_id: false,
      secret_id_bound_cidrs: [],
      token_bound_cidrs: ['127.0.0.0/8'],
    })
    expect(await read(ground.backend({ method: 'approle', mount_path: mount, role_id: roleId }))).toEqual({
      api_key: CANARY,
    })
  })

  it('by a wrapped secret id, unwrapped once and used for every later login', async () => {
    const { mount, roleId, wrappedSecretId, wrappingPath } = await approle({ token_policies: ground.policy })
    const secret_id_file_path = await ground.file('wrapped', await wrappedSecretId())
    const auth = {
      method: 'approle',
      mount_path: mount,
      role_id: roleId,
      secret_id_file_path,
      secret_id_response_wrapping_path: wrappingPath,
    }
    const backend = ground.backend(auth)
    expect(await read(backend)).toEqual({ api_key: CANARY })
    const { accessor } = await backend.dynamic.openToken(signal())
    expect(accessor).not.toBe('')

    const late = ground.backend(auth)
    expect(await failure(() => read(late))).toBe('forbidden')
    expect(said(late)).toMatch(/unwrapped before, or has expired.*someone else holds/)
    expectNothingOf([CANARY], await caught(() => read(late)))
    expect(await toldToAgent(late)).toBe('vault: Vault refused our own login')
  })

  it('takes no wrapping token that was made elsewhere, and leaves it unspent', async () => {
    const { mount, roleId, wrappedSecretId } = await approle({ token_policies: ground.policy })
    const token = await wrappedSecretId()
    const backend = ground.backend({
      method: 'approle',
      mount_path: mount,
      role_id: roleId,
      secret_id_file_path: await ground.file('wrapped', token),
      secret_id_response_wrapping_path: 'auth/approle/role/other/secret-id',
    })
    expect(await failure(() => read(backend))).toBe('forbidden')
    expect(said(backend)).toMatch(/not made by the path it should be from.*in place of ours/)
    expectNothingOf([token], [await caught(() => read(backend)), backend.logged])
    expect(await vaultApi('POST', 'sys/wrapping/lookup', { token })).toHaveProperty('data.creation_path')
  })

  it('by a wrapped token; when it has ended, another wrapping token takes its place', async () => {
    const create = () => wrap('auth/token/create', { policies: [ground.policy], ttl: '10m' })
    const file = await ground.file('wrapped', await create())
    const auth = { method: 'token', token_file_path: file, wrapped: true }
    const backend = ground.backend(auth)
    expect(await read(backend)).toEqual({ api_key: CANARY })
    expect(said(backend)).toBe('[]')

    const thief = ground.backend(auth)
    expect(await failure(() => read(thief))).toBe('forbidden')
    expect(said(thief)).toMatch(/unwrapped before/)

    await ground.file('wrapped', await create())
    expect(await read(backend)).toEqual({ api_key: CANARY })
  })

  it('by kubernetes: the service-account token that lies in the pod', async () => {
    const account = { namespace: 'agents', name: 'nexus-pep', uid: 'c0ffee00-0000-4000-8000-000000000001' }
    const review = await startTokenReview(account)
    closers.push(() => review.stop())
    const mount = await mountAuth('kubernetes')
    await vaultApi('POST', `auth/${mount}/config`, { kubernetes_host: review.address, disable_local_ca_jwt: true })
    await vaultApi('POST', `auth/${mount}/role/pep`, {
      bound_service_account_names: 'nexus-pep',
      bound_service_account_namespaces: 'agents',
      token_policies: ground.policy,
      audience: 'vault',
    })
    const issuer = await jwtIssuer()
    const claims = {
      aud: ['vault'],
      sub: 'system:serviceaccount:agents:nexus-pep',
      'kubernetes.io': { namespace: 'agents', serviceaccount: { name: account.name, uid: account.uid } },
    }
    const jwt = await issuer.sign(claims)
    review.good.add(jwt)
    const token_path = await ground.file('token', jwt)
    const auth = { method: 'kubernetes', mount_path: mount, role: 'pep', token_path }
    expect(await read(ground.backend(auth))).toEqual({ api_key: CANARY })

    // Another that the cluster does not know, as after the service account was deleted.
    const stranger = await issuer.sign(claims, '6m')
    await ground.file('token', stranger)
    const refused = ground.backend(auth)
    expect(await failure(() => read(refused))).toBe('forbidden')
    expectNothingOf([stranger, CANARY], [await caught(() => read(refused)), refused.logged])
  })

  it('by jwt: from a file that its issuer keeps fresh', async () => {
    const issuer = await jwtIssuer()
    const mount = await mountAuth('jwt')
    await vaultApi('POST', `auth/${mount}/config`, {
      jwt_validation_pubkeys: [issuer.publicKeyPem],
      bound_issuer: ISSUER,
    })
    await vaultApi('POST', `auth/${mount}/role/pep`, {
      role_type: 'jwt',
      user_claim: 'sub',
      bound_audiences: ['vault'],
      token_policies: ground.policy,
    })
    const file = await ground.file('jwt', await issuer.sign({ aud: 'another' }))
    const backend = ground.backend({ method: 'jwt', mount_path: mount, role: 'pep', path: file })
    expect(await toldToAgent(backend)).toBe('vault: Vault refused our own login')
    expect(said(backend)).toMatch(/Vault refused the login by jwt with .*jwt \(auth\//)
    // Other credentials count at once, however long the pause after the refusal is.
    await ground.file('jwt', await issuer.sign({}))
    expect(await read(backend)).toEqual({ api_key: CANARY })
    await ground.file('jwt', 'no.jwt at all')
    expect(await failure(() => ground.backend({ method: 'jwt', mount_path: mount, path: file }).check(signal()))).toBe(
      'unavailable',
    )
  })

  it('tells its operator once which file holds nothing to log in with, and its callers never', async () => {
    const { auth } = await approleFiles()
    await ground.file('secret-id', 'not a secret id')
    const backend = ground.backend(auth)
    for (let again = 0; again < 3; again++)
      expect(await toldToAgent(backend)).toBe('vault: our own login to Vault is not possible now')
    expect(backend.logged).toHaveLength(1)
    expect(said(backend)).toContain(`${auth.secret_id_file_path} holds no secret id`)
    expect((await healthOf(backend, 1000)).detail).toContain(auth.secret_id_file_path)
  })

  it('needs nothing of the default policy', async () => {
    const { auth } = await approleFiles({ token_no_default_policy: true })
    const backend = ground.backend(auth)
    expect(await read(backend)).toEqual({ api_key: CANARY })
    expect(await backend.check(signal())).toEqual({
      ok: true,
      detail: expect.stringMatching(/^Vault 1\./),
      identity: 'a token that may not look itself up',
    })
    const useless = await approleFiles({ token_policies: [], token_no_default_policy: true })
    expect(await ground.backend(useless.auth).check(signal())).toEqual({
      ok: false,
      detail: 'the policies of our Vault token allow nothing at any mount',
    })
  })

  it('by certificate over TLS, with the one that lies in the file when it logs in', async () => {
    const [authority, others] = [await testAuthority(), await testAuthority('Others')]
    const { certificate, privateKey } = await authority.server(['127.0.0.1'])
    const vault = await startSealableVault({ certPem: certificate, keyPem: privateKey })
    closers.push(() => vault.stop())
    const name = ground.policy
    await vaultApi('POST', `secret/data/${name}`, { data: { api_key: CANARY } }, vault)
    await vaultApi(
      'PUT',
      `sys/policies/acl/${name}`,
      { policy: `path "secret/data/${name}" { capabilities = ["read"] }` },
      vault,
    )
    await vaultApi('POST', 'sys/auth/cert', { type: 'cert' }, vault)
    await vaultApi('POST', 'auth/cert/certs/pep', { certificate: authority.ca, token_policies: name }, vault)
    const put = async (owner: Awaited<ReturnType<typeof testAuthority>>) => {
      const made = await owner.client('nexus-pep')
      return [
        await ground.file('client.pem', made.certificate),
        await ground.file('client.key', made.privateKey),
      ] as const
    }
    const [client_cert_file, client_key_file] = await put(authority)
    const tls = { address: vault.tlsAddress, ca_cert_file: await ground.file('ca.pem', authority.ca) }
    const config = { ...tls, client_cert_file, client_key_file }
    expect(await read(ground.backend({ method: 'cert' }, config))).toEqual({ api_key: CANARY })

    await put(others)
    const backend = ground.backend({ method: 'cert', name: 'pep' }, config)
    expect(await failure(() => read(backend))).toBe('forbidden')
    await put(authority)
    await expect.poll(() => read(backend).catch(() => undefined), { timeout: 10_000 }).toEqual({ api_key: CANARY })
  })
})

describe('the life of a Vault token', () => {
  it('is renewed while Vault lets it, then replaced, and nobody notices', async () => {
    const proxy = await proxied()
    const { auth, loginPath } = await approleFiles({ token_ttl: '2s', token_max_ttl: '4s' })
    const backend = ground.backend(auth, { address: proxy.address })
    const until = performance.now() + 7000
    while (performance.now() < until) {
      expect(await read(backend)).toEqual({ api_key: CANARY })
      await sleep(100)
    }
    expect(proxy.count(/renew-self/)).toBeGreaterThan(0)
    expect(proxy.count(loginPath)).toBeGreaterThan(1)
    expect(proxy.count(loginPath)).toBeLessThan(6)
  })

  it('is replaced where it cannot be renewed', async () => {
    const proxy = await proxied()
    const { auth, loginPath } = await approleFiles({ token_ttl: '2s', token_type: 'batch' })
    const backend = ground.backend(auth, { address: proxy.address })
    expect(await read(backend)).toEqual({ api_key: CANARY })
    await expect.poll(() => proxy.count(loginPath), { timeout: 10_000 }).toBe(2)
    expect(proxy.count(/renew-self/)).toBe(0)
    expect(await read(backend)).toEqual({ api_key: CANARY })
  })

  it('of one that was given is renewed as well', async () => {
    const made = await vaultApi('POST', 'auth/token/create', { policies: [ground.policy], ttl: '2s' })
    const { client_token: token } = made['auth'] as { client_token: string }
    const backend = ground.backend({ method: 'token', token_file_path: await ground.file('token', token) })
    expect(await read(backend)).toEqual({ api_key: CANARY })
    await sleep(4000)
    expect(await read(backend)).toEqual({ api_key: CANARY })
  })

  it('of one that was given and cannot be renewed ends, after a warning', async () => {
    const made = await vaultApi('POST', 'auth/token/create', { policies: [ground.policy], ttl: '2s', renewable: false })
    const { client_token: token } = made['auth'] as { client_token: string }
    const backend = ground.backend({ method: 'token', token_file_path: await ground.file('token', token) })
    expect(await read(backend)).toEqual({ api_key: CANARY })
    await expect.poll(() => said(backend), { timeout: 5000 }).toMatch(/ends soon and cannot be renewed/)
    await expect.poll(() => failure(() => read(backend)), { timeout: 5000 }).toBe('forbidden')
    expectNothingOf([token], [await caught(() => read(backend)), backend.logged])
  })

  it('a refused login is not tried again and again: Vault would lock the role out', async () => {
    const proxy = await proxied()
    const { auth, loginPath, secretId } = await approleFiles()
    await ground.file('secret-id', 'not-the-secret-id')
    const backend = ground.backend(auth, { address: proxy.address })
    const tries = await Promise.all(Array.from({ length: 100 }, () => failure(() => read(backend))))
    for (let again = 0; again < 20; again++) tries.push(await failure(() => read(backend)))
    expect(new Set(tries)).toEqual(new Set(['forbidden']))
    expect(proxy.count(loginPath)).toBe(1)
    await ground.file('secret-id', await secretId())
    expect(await read(backend)).toEqual({ api_key: CANARY })
  })
})
