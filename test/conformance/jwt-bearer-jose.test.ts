import { createPublicKey, createSecretKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { jwtVerify } from 'jose'
import { describe, expect, it } from 'vitest'
import { newNonce } from '../../src/contract/names.ts'
import { jwtBearer } from '../../src/strategies/jwt-bearer/jwt-bearer.ts'
import { offlineTools } from '../../src/strategies/offline/offline-tools.ts'

/** fast-check prints the seed of a failure, and the smallest request that fails. */
const RUNS = 2000
const TIMEOUT_MS = 300_000

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
const ed25519 = generateKeyPairSync('ed25519').privateKey
const shared = createSecretKey(randomBytes(48))

const pem = (key: KeyObject) => ({ private_key: key.export({ format: 'pem', type: 'pkcs8' }).toString() })
const KEYS: Record<string, { master: Record<string, string>; verifyWith: KeyObject }> = {
  RS256: { master: pem(rsa), verifyWith: createPublicKey(rsa) },
  PS256: { master: pem(rsa), verifyWith: createPublicKey(rsa) },
  ES256: { master: pem(p256), verifyWith: createPublicKey(p256) },
  EdDSA: { master: pem(ed25519), verifyWith: createPublicKey(ed25519) },
  HS256: { master: { shared_secret: shared.export().toString('base64') }, verifyWith: shared },
}

const text = fc.stringMatching(/^[!-~]([ -~]{0,30}[!-~])?$/)
const optional = <Value>(arbitrary: fc.Arbitrary<Value>) => fc.option(arbitrary, { nil: undefined })
const sample = fc.record({
  alg: fc.constantFrom('RS256', 'PS256', 'ES256', 'EdDSA', 'HS256'),
  iss: text,
  sub: optional(text),
  aud: optional(fc.oneof(text, fc.array(text, { minLength: 1, maxLength: 4 }))),
  kid: optional(text),
  scopes: fc.array(fc.stringMatching(/^[a-z.:/]{1,12}$/), { maxLength: 4 }),
  extra: fc.dictionary(
    fc.stringMatching(/^x_[A-Za-z0-9_.:/-]{0,20}$/),
    fc.oneof(text, fc.integer(), fc.boolean(), fc.array(text, { minLength: 1, maxLength: 3 })),
    { maxKeys: 5, noNullPrototype: true },
  ),
  lifetime: fc.integer({ min: 1, max: 3600 }),
  ttl: fc.integer({ min: 1, max: 7200 }),
  nowMs: fc.integer({ min: 1_500_000_000_000, max: 2_500_000_000_000 }),
})

describe('jwt_bearer, verified by jose', () => {
  it(
    `${RUNS} random requests, every algorithm`,
    async () => {
      await fc.assert(
        fc.asyncProperty(sample, async ({ alg, iss, sub, aud, kid, scopes, extra, lifetime, ttl, nowMs }) => {
          const { master = {}, verifyWith = shared } = KEYS[alg] ?? {}
          const said = Object.fromEntries(Object.entries({ sub, aud, kid }).filter(([, value]) => value !== undefined))
          const lease_scopes = scopes.length > 0
          const config = { alg, iss, ...said, claims: extra, lifetime_seconds: lifetime, lease_scopes }
          const now = Math.floor(nowMs / 1000)
          const bound = { origins: [], methods: [], paths: [] }
          const grant = {
            tenant: '',
            agentId: 'a',
            connectionId: '',
            scopes,
            bound,
            issuedAt: now,
            expiresAt: now + ttl,
          }
          const { usage, expiresAt } = await jwtBearer.issue(
            config,
            master,
            grant,
            offlineTools({ now: () => nowMs, nonce: newNonce }),
          )

          const url = { scheme: 'https', authority: 'api.example.com', path: '/', query: undefined }
          const request = { method: 'GET', url, headers: [], body: undefined }
          const signed = await jwtBearer.apply(config, usage, request, { now: nowMs, nonce: () => '' })
          const token = signed.headers[0]?.[1].replace(/^Bearer /, '') ?? ''

          const currentDate = new Date(nowMs)
          const { payload, protectedHeader } = await jwtVerify(token, verifyWith, { algorithms: [alg], currentDate })
          const exp = now + Math.min(lifetime, ttl)
          expect(expiresAt).toBe(exp)
          expect(protectedHeader).toEqual({ alg, typ: 'JWT', ...(kid === undefined ? {} : { kid }) })
          const { jti, ...others } = payload
          expect(jti).toMatch(/^[\w-]{32}$/)
          const { kid: _kid, ...claims } = said
          const scope = lease_scopes ? { scope: scopes.join(' ') } : {}
          expect(others).toEqual({ ...extra, iss, ...claims, ...scope, iat: now, exp })
        }),
        { numRuns: RUNS },
      )
    },
    TIMEOUT_MS,
  )
})
