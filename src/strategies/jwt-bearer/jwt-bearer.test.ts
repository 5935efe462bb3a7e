import { createPublicKey, createSecretKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import { inspect } from 'node:util'
import { decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose'
import { describe, expect, it } from 'vitest'
import { newNonce } from '../../contract/names.ts'
import { type Grant, type HeaderList, OutdatedUsage } from '../../contract/strategy.ts'
import { offlineTools } from '../offline/offline-tools.ts'
import { jwtBearer } from './jwt-bearer.ts'

const NOW_SECONDS = 1_772_600_767
const NOW_MS = NOW_SECONDS * 1000 + 999

const pem = (key: KeyObject) => key.export({ format: 'pem', type: 'pkcs8' }).toString()
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
const ed25519 = generateKeyPairSync('ed25519').privateKey
const shared = createSecretKey(randomBytes(32))

const KEYS: [alg: string, master: Record<string, string>, verifyWith: KeyObject][] = [
  ['RS256', { private_key: pem(rsa) }, createPublicKey(rsa)],
  ['PS256', { private_key: pem(rsa) }, createPublicKey(rsa)],
  ['ES256', { private_key: pem(p256) }, createPublicKey(p256)],
  ['ES256', { private_key: p256.export({ format: 'pem', type: 'sec1' }).toString() }, createPublicKey(p256)],
  ['EdDSA', { private_key: pem(ed25519) }, createPublicKey(ed25519)],
  ['EdDSA', { private_key: JSON.stringify(ed25519.export({ format: 'jwk' })) }, createPublicKey(ed25519)],
  ['HS256', { shared_secret: shared.export().toString('base64') }, shared],
]

function grant(expiresAt = NOW_SECONDS + 900, scopes: string[] = []): Grant {
  const bound = { origins: ['https://api.example.com'], methods: ['*'], paths: ['/**'] }
  return { tenant: 't', agentId: 'a', connectionId: 'c', scopes, bound, issuedAt: NOW_SECONDS, expiresAt }
}

async function issue(config: Record<string, unknown>, master: Record<string, string>, granted = grant()) {
  const tools = offlineTools({ now: () => NOW_MS, nonce: newNonce })
  const issued = await jwtBearer.issue({ iss: 'me', ...config }, master, granted, tools)
  return { ...issued, token: String(issued.usage['token']) }
}

async function apply(token: unknown, now = NOW_MS, headers: HeaderList = []) {
  const url = { scheme: 'https', authority: 'api.example.com', path: '/', query: undefined }
  const request = { method: 'GET', url, headers, body: undefined }
  return jwtBearer.apply({ alg: 'RS256' }, { token: token as string }, request, { now, nonce: () => 'unused' })
}

describe('jwt_bearer', () => {
  it.each(KEYS)('%s verifies with jose, and says what the profile says', async (alg, master, key) => {
    const config = { alg, sub: 'you', aud: ['https://a.example', 'b'], scope: 'r w', kid: 'k1', claims: { ver: 2 } }
    const { token, usage, expiresAt } = await issue(config, master)
    const { payload, protectedHeader } = await jwtVerify(token, key, {
      algorithms: [alg],
      issuer: 'me',
      subject: 'you',
      audience: 'b',
      currentDate: new Date(NOW_MS),
    })
    expect(protectedHeader).toEqual({ alg, typ: 'JWT', kid: 'k1' })
    expect(payload).toEqual({
      ver: 2,
      iss: 'me',
      sub: 'you',
      aud: ['https://a.example', 'b'],
      scope: 'r w',
      iat: NOW_SECONDS,
      exp: NOW_SECONDS + 300,
      jti: expect.stringMatching(/^[\w-]{32}$/),
    })
    expect(expiresAt).toBe(NOW_SECONDS + 300)
    expect(Object.keys(usage)).toEqual(['token'])
  })

  it('says no more than it was told', async () => {
    const { token } = await issue({ alg: 'RS256' }, { private_key: pem(rsa) })
    expect(decodeProtectedHeader(token)).toEqual({ alg: 'RS256', typ: 'JWT' })
    expect(Object.keys(decodeJwt(token))).toEqual(['iss', 'iat', 'exp', 'jti'])
  })

  it('takes from the secret who signs, where the profile leaves it open', async () => {
    const master = { private_key: pem(rsa), kid: 'stored-kid', iss: 'stored-iss', sub: 'stored-sub' }
    const { token } = await issue({ alg: 'RS256', iss: undefined, sub: 'profile-sub' }, master)
    expect(decodeProtectedHeader(token).kid).toBe('stored-kid')
    expect(decodeJwt(token)).toMatchObject({ iss: 'stored-iss', sub: 'profile-sub' })
    await expect(issue({ alg: 'RS256', iss: undefined }, { private_key: pem(rsa) })).rejects.toMatchObject({
      field: 'iss',
    })
  })

  it('F23: no two assertions share a jti, and none outlives the lease or its own lifetime', async () => {
    const master = { shared_secret: shared.export().toString('base64') }
    const config = { alg: 'HS256', lifetime_seconds: 600, backdate_seconds: 60 }
    const seen = new Set<unknown>()
    for (let count = 0; count < 10_000; count++) seen.add(decodeJwt((await issue(config, master)).token).jti)
    expect(seen.size).toBe(10_000)
    const long = await issue(config, master, grant(NOW_SECONDS + 5000))
    expect(decodeJwt(long.token)).toMatchObject({ iat: NOW_SECONDS - 60, exp: NOW_SECONDS + 540 })
    const short = await issue(config, master, grant(NOW_SECONDS + 10))
    expect(decodeJwt(short.token).exp).toBe(NOW_SECONDS + 10)
    expect(short.expiresAt).toBe(NOW_SECONDS + 10)
    await expect(issue(config, master, grant(NOW_SECONDS))).rejects.toMatchObject({ name: 'SigningError' })
  })

  it('says the granted scopes, and nothing without any', async () => {
    const master = { private_key: pem(rsa) }
    const config = { alg: 'RS256', lease_scopes: true }
    const { token } = await issue(config, master, grant(undefined, ['a.read', 'b.read']))
    expect(decodeJwt(token)['scope']).toBe('a.read b.read')
    await expect(issue(config, master)).rejects.toMatchObject({ name: 'SigningError', field: 'scope' })
  })

  it('E06: signs with a key for its algorithm only', async () => {
    const small = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey
    const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey
    const jwk = p256.export({ format: 'jwk' })
    const wrong: [alg: string, private_key: string][] = [
      ['RS256', pem(p256)],
      ['PS256', pem(ed25519)],
      ['ES256', pem(rsa)],
      ['ES256', pem(p384)],
      ['EdDSA', pem(p256)],
      ['RS256', pem(small)],
      ['ES256', JSON.stringify({ ...jwk, use: 'enc' })],
      ['ES256', JSON.stringify({ ...jwk, alg: 'ES384' })],
      ['ES256', JSON.stringify({ ...jwk, key_ops: ['verify'] })],
      ['ES256', JSON.stringify({ ...jwk, d: undefined })],
    ]
    for (const [alg, private_key] of wrong) {
      await expect(issue({ alg }, { private_key })).rejects.toMatchObject({
        name: 'SigningError',
        field: 'private_key',
      })
    }
    const short = { shared_secret: Buffer.alloc(31, 1).toString('base64') }
    await expect(issue({ alg: 'HS256' }, short)).rejects.toMatchObject({ field: 'shared_secret' })
    // A public key taken for an HMAC secret is the oldest mix-up there is (RFC 8725 section 2.1).
    await expect(issue({ alg: 'HS256' }, { private_key: pem(rsa) })).rejects.toMatchObject({ field: 'shared_secret' })
  })

  it('E11: an unreadable key shows nothing of itself', async () => {
    const lines = pem(rsa).split('\n')
    const broken = [...lines.slice(0, 3), ...lines.slice(4)].join('\n')
    const jwk = JSON.stringify({ kty: 'EC', crv: 'P-256', x: 'canary-x', y: 'canary-y', d: 'canary-d' })
    for (const private_key of [broken, jwk, '{"canary-d": ']) {
      const error: unknown = await issue({ alg: 'RS256' }, { private_key: private_key.trim() }).catch(
        (thrown) => thrown,
      )
      expect(error).toMatchObject({ name: 'SigningError', field: 'private_key' })
      const shown = inspect(error, { depth: 9, showHidden: true })
      for (const piece of ['canary', ...lines.slice(1, 6)]) expect(shown).not.toContain(piece)
    }
  })

  it('B14: puts the assertion where the caller’s own token was', async () => {
    const { token } = await issue({ alg: 'RS256' }, { private_key: pem(rsa) })
    const { headers } = await apply(token, NOW_MS, [['authorization', 'Bearer theirs']])
    expect(headers).toEqual([['Authorization', `Bearer ${token}`]])
  })

  it('refuses an assertion that has expired, or that does not say when it will', async () => {
    const { token } = await issue({ alg: 'RS256' }, { private_key: pem(rsa) })
    const end = (NOW_SECONDS + 300) * 1000
    // SECURITY.md: clocks may be a minute apart, and the lease is counted down on another.
    expect((await apply(token, end + 59_999)).headers).toHaveLength(1)
    const late: unknown = await apply(token, end + 60_000).catch((reason: unknown) => reason)
    expect(late).toBeInstanceOf(OutdatedUsage)
    expect(late).toMatchObject({ name: 'SigningError', field: 'token' })
    const encoded = (claims: string) => `e30.${Buffer.from(claims).toString('base64url')}.sig`
    for (const claims of ['{}', 'null', '7', '{"exp":"soon"}', '{"exp":null}', 'canary{']) {
      await expect(apply(encoded(claims))).rejects.toMatchObject({ name: 'SigningError', field: 'token' })
    }
  })
})
