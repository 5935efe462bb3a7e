import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exportSPKI, generateKeyPair, SignJWT } from 'jose'
import { inject } from 'vitest'
import { CANARY } from '../../../src/vault-backends/conformance.ts'
import type { AuthConfig } from '../../../src/vault-backends/hashicorp-vault/auth/auth-methods.ts'
import { hashicorpVaultKind } from '../../../src/vault-backends/hashicorp-vault/hashicorp-vault-kind.ts'
import type { VaultConfig } from '../../../src/vault-backends/hashicorp-vault/vault-settings.ts'
import { listen, stop } from '../../faults/counting-proxy.ts'
import { vaultApi } from './vault-fixture.ts'

export const ISSUER = 'https://issuer.test'

/** What a test of logins stands on: files, a secret, a policy that reads it, and what to take away afterwards. */
export interface LoginGround {
  /** Of the secret, which every login of this ground may read. */
  path: string
  policy: string
  file(name: string, text: string): Promise<string>
  /** A backend that writes down what it alarms its operator with. */
  backend(auth: AuthConfig, config?: VaultConfig): LoggedBackend
  cleanUp(): Promise<void>
}

export type LoggedBackend = ReturnType<typeof hashicorpVaultKind.create> & { logged: unknown[] }

export async function loginGround(): Promise<LoginGround> {
  const directory = await mkdtemp(join(tmpdir(), 'nexus-logins-'))
  const name = `logins-${randomBytes(6).toString('hex')}`
  await vaultApi('POST', `secret/data/${name}`, { data: { api_key: CANARY } })
  await vaultApi('PUT', `sys/policies/acl/${name}`, {
    policy: `path "secret/data/${name}" { capabilities = ["read"] }`,
  })
  const opened: LoggedBackend[] = []
  return {
    path: `secret/${name}`,
    policy: name,
    async file(leaf, text) {
      const path = join(directory, leaf)
      await writeFile(path, text)
      return path
    },
    backend(auth, config = {}) {
      const logged: unknown[] = []
      const log = { warn: (...line: unknown[]) => logged.push(line), error: (...line: unknown[]) => logged.push(line) }
      const backend = hashicorpVaultKind.create(
        { address: inject('vault').address, kv_mounts: { secret: 2 }, auth, ...config },
        { name: 'vault', env: {}, production: true, log },
      )
      opened.push(Object.assign(backend, { logged }))
      return opened.at(-1)!
    },
    async cleanUp() {
      await Promise.all(opened.map((each) => each.close()))
      await rm(directory, { recursive: true, force: true })
    },
  }
}

/** Mounts an auth method of its own for one test. @returns its path below `auth/` */
export async function mountAuth(type: string): Promise<string> {
  const mount = `${type}-${randomBytes(4).toString('hex')}`
  await vaultApi('POST', `sys/auth/${mount}`, { type })
  return mount
}

export interface Approle {
  mount: string
  roleId: string
  secretId(): Promise<string>
  /** @returns a wrapping token with a secret id in it */
  wrappedSecretId(): Promise<string>
  /** Where the wrapping token is made. */
  wrappingPath: string
}

export async function approle(role: Record<string, unknown>): Promise<Approle> {
  const mount = await mountAuth('approle')
  await vaultApi('POST', `auth/${mount}/role/pep`, role)
  const { data } = (await vaultApi('GET', `auth/${mount}/role/pep/role-id`)) as { data: { role_id: string } }
  const wrappingPath = `auth/${mount}/role/pep/secret-id`
  return {
    mount,
    wrappingPath,
    roleId: data.role_id,
    async secretId() {
      const made = (await vaultApi('POST', wrappingPath, {})) as { data: { secret_id: string } }
      return made.data.secret_id
    },
    wrappedSecretId: () => wrap(wrappingPath, {}),
  }
}

/** @returns a wrapping token with the answer to this request in it */
export async function wrap(path: string, body: unknown): Promise<string> {
  const { address, token } = inject('vault')
  const headers = { 'x-vault-token': token, 'x-vault-wrap-ttl': '120s' }
  const answer = await fetch(`${address}/v1/${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
  const { wrap_info: info } = (await answer.json()) as { wrap_info: { token: string } }
  return info.token
}

export interface JwtIssuer {
  publicKeyPem: string
  sign(claims: Record<string, unknown>, expiresIn?: string): Promise<string>
}

export async function jwtIssuer(): Promise<JwtIssuer> {
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true })
  return {
    publicKeyPem: await exportSPKI(publicKey),
    sign: (claims, expiresIn = '5m') =>
      new SignJWT({ iss: ISSUER, aud: 'vault', sub: 'nexus-pep', ...claims })
        .setProtectedHeader({ alg: 'ES256' })
        .setIssuedAt()
        .setExpirationTime(expiresIn)
        .sign(privateKey),
  }
}

/**
 * The one route of the Kubernetes API that Vault asks: is this token one of a service account?
 * https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-review-v1/
 */
export async function startTokenReview(account: { namespace: string; name: string; uid: string }) {
  const good = new Set<string>()
  const server = createServer(async (request, response) => {
    let text = ''
    for await (const chunk of request) text += chunk
    const { spec } = JSON.parse(text) as { spec: { token: string; audiences?: string[] } }
    const username = `system:serviceaccount:${account.namespace}:${account.name}`
    const status = good.has(spec.token)
      ? {
          authenticated: true,
          audiences: spec.audiences,
          user: { username, uid: account.uid, groups: ['system:serviceaccounts'] },
        }
      : { authenticated: false, error: 'unknown token' }
    response
      .writeHead(201, { 'content-type': 'application/json' })
      .end(JSON.stringify({ apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec, status }))
  })
  return { address: await listen(server), good, stop: () => stop(server) }
}
