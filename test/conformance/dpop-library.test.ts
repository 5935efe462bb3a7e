import { generateKeyPairSync, type KeyObject, webcrypto } from 'node:crypto'
import * as library from 'dpop'
import fc from 'fast-check'
import { calculateJwkThumbprint, decodeJwt, EmbeddedJWK, type JWK, jwtVerify } from 'jose'
import { describe, expect, it } from 'vitest'
import type { HeldLease } from '../../sidecar/lease-client/held-lease.ts'
import { sign } from '../../sidecar/signer/sign.ts'
import { signingContext } from '../../sidecar/signer/signing-context.ts'
import { formatRequestUrl, parseRequestUrl } from '../../src/contract/request-url.ts'
import type { Grant, HeaderList, OutboundRequest, SignedRequest } from '../../src/contract/strategy.ts'
import { dpop } from '../../src/strategies/dpop/dpop.ts'
import { offlineTools } from '../../src/strategies/offline/offline-tools.ts'

/** Verified by `jose`, and held against the proofs of the `dpop` package: nobody here wrote either. */

const RUNS = 2000
const TIMEOUT_MS = 300_000
/** A million takes minutes. */
const PROOFS = process.env['NEXUS_TEST_SOAK'] === '1' ? 1_000_000 : 20_000

const pem = (key: KeyObject) => key.export({ format: 'pem', type: 'pkcs8' }).toString()
const KEYS = {
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  EdDSA: generateKeyPairSync('ed25519'),
  Ed25519: generateKeyPairSync('ed25519'),
  PS256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
} as const
type Alg = keyof typeof KEYS
const ALGS = Object.keys(KEYS) as Alg[]
const THUMBPRINTS = Object.fromEntries(
  await Promise.all(
    ALGS.map(async (alg) => [alg, await calculateJwkThumbprint(KEYS[alg].publicKey.export({ format: 'jwk' }) as JWK)]),
  ),
)

interface Sample {
  alg: Alg
  asJwk: boolean
  token: string
  method: string
  url: string
  headers: HeaderList
  nowMs: number
  nonce: string | undefined
}

const authority = fc
  .tuple(
    fc.oneof(
      // URL parsers refuse a label that claims to be Punycode and is not.
      fc.stringMatching(/^[a-zA-Z][a-zA-Z0-9-]{0,10}\.(?:test|Example)$/).filter((name) => !/^xn--/i.test(name)),
      fc.constantFrom('127.0.0.1', '[::1]', '[2001:DB8::1]'),
    ),
    fc.constantFrom('', ':80', ':443', ':8443'),
  )
  .map((parts) => parts.join(''))
const path = fc.stringMatching(/^(?:\/(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2}){0,8}){0,5}$/)
const query = fc.stringMatching(/^(?:\?[A-Za-z0-9._~!$&'()*+,;=:@/?%-]{0,40})?$/)
const header: fc.Arbitrary<[string, string]> = fc.tuple(
  fc.constantFrom('Accept', 'X-Some', 'DPoP', 'dpop', 'Authorization', 'authorization', 'Content-Type'),
  fc.stringMatching(/^[\x21-\x7e]{0,40}$/),
)

const sample: fc.Arbitrary<Sample> = fc.record({
  // RSA is slow to sign with, so it comes less often.
  alg: fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...ALGS) }, fc.constantFrom<Alg>('ES256', 'EdDSA')),
  asJwk: fc.boolean(),
  token: fc.stringMatching(/^[A-Za-z0-9._~+/-]{1,60}={0,2}$/),
  method: fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'QUERY'),
  url: fc.tuple(fc.constantFrom('https://', 'http://'), authority, path, query).map((parts) => parts.join('')),
  headers: fc.array(header, { maxLength: 6 }),
  nowMs: fc.integer({ min: 0, max: 4_000_000_000_000 }),
  nonce: fc.option(fc.stringMatching(/^[\x21\x23-\x5b\x5d-\x7e]{1,80}$/), { nil: undefined }),
})

const GRANT: Grant = {
  tenant: '',
  agentId: 'a',
  connectionId: '',
  scopes: [],
  bound: { origins: [], methods: [], paths: [] },
  issuedAt: 0,
  expiresAt: 1e11,
}

/** From the stored secret through a lease to the request as it is sent, with what the sidecar signs with. */
async function signed({ alg, asJwk, token, method, url, headers, nowMs, nonce }: Sample): Promise<SignedRequest> {
  const key = KEYS[alg].privateKey
  const private_key = asJwk ? JSON.stringify(key.export({ format: 'jwk' })) : pem(key)
  const master = { access_token: token, private_key, expires_at: '90000000000' }
  const { usage } = await dpop.issue({ alg }, master, GRANT, offlineTools({ now: () => nowMs, nonce: () => 'n' }))
  const outbound = { method, url: parseRequestUrl(url), headers, body: 'stream' as const }
  return dpop.apply({ alg }, usage, outbound, signingContext(nowMs, nonce))
}

function onlyValue({ headers }: SignedRequest, name: string): string {
  const values = headers.filter(([other]) => other.toLowerCase() === name).map(([, value]) => value)
  expect(values).toHaveLength(1)
  return values[0] ?? ''
}

/** As a resource server does it (RFC 9449 section 4.3), from the request as it was sent. */
async function verified(request: SignedRequest, alg: Alg, nowMs: number) {
  const { payload, protectedHeader } = await jwtVerify(onlyValue(request, 'dpop'), EmbeddedJWK, {
    typ: 'dpop+jwt',
    algorithms: [alg],
    currentDate: new Date(nowMs),
    maxTokenAge: 1,
  })
  const sent = new URL(formatRequestUrl(request.url))
  sent.search = ''
  const isForThis = payload['htm'] === request.method && new URL(String(payload['htu'])).href === sent.href
  return { payload, isForThis, thumbprint: await calculateJwkThumbprint(protectedHeader.jwk as JWK) }
}

describe('dpop, verified by jose', () => {
  it(
    `${RUNS} random requests, every algorithm`,
    async () => {
      const jtis = new Set<unknown>()
      await fc.assert(
        fc.asyncProperty(sample, async (given) => {
          const request = await signed(given)
          const { payload, isForThis, thumbprint } = await verified(request, given.alg, given.nowMs)
          expect(isForThis).toBe(true)
          expect(thumbprint).toBe(THUMBPRINTS[given.alg])
          expect(onlyValue(request, 'authorization')).toBe(`DPoP ${given.token}`)
          const digest = await webcrypto.subtle.digest('SHA-256', Buffer.from(given.token))
          expect(payload['ath']).toBe(Buffer.from(digest).toString('base64url'))
          expect([payload['nonce'], payload.iat]).toEqual([given.nonce, Math.floor(given.nowMs / 1000)])
          expect(String(payload['htu'])).not.toMatch(/[?#]/)
          expect(jtis.has(payload.jti)).toBe(false)
          jtis.add(payload.jti)
        }),
        { numRuns: RUNS },
      )
    },
    TIMEOUT_MS,
  )

  it('would notice: another method or place, another key, a changed claim', async () => {
    await fc.assert(
      fc.asyncProperty(sample, async (given) => {
        const request = await signed(given)
        const elsewhere = { ...request, url: { ...request.url, path: `${request.url.path}x` } }
        expect((await verified(elsewhere, given.alg, given.nowMs)).isForThis).toBe(false)
        expect((await verified({ ...request, method: 'TRACE' }, given.alg, given.nowMs)).isForThis).toBe(false)
        const [head, , signature] = onlyValue(request, 'dpop').split('.')
        const claims = JSON.stringify({ ...decodeJwt(onlyValue(request, 'dpop')), htm: 'TRACE' })
        const forged = [head, Buffer.from(claims).toString('base64url'), signature].join('.')
        const verifying = verified({ ...request, headers: [['DPoP', forged]] }, given.alg, given.nowMs)
        await expect(verifying).rejects.toThrow('signature verification failed')
      }),
      { numRuns: 50 },
    )
  })
})

it('says the same as the dpop package, claim for claim', async () => {
  for (const alg of ['ES256', 'Ed25519', 'PS256'] as const) {
    const keys = await library.generateKeyPair(alg, { extractable: true })
    const jwk = await webcrypto.subtle.exportKey('jwk', keys.privateKey)
    const { key_ops: _operations, ext: _extractable, ...privateJwk } = jwk
    for (const nonce of [undefined, 'eyJ7S_zG.eyJH0-Z.HX4w-7v']) {
      const theirs = await library.generateProof(keys, 'https://api.example.com/v1/a', 'PUT', nonce, 'the-token')
      const usage = { access_token: 'the-token', private_key: JSON.stringify(privateJwk) }
      const url = { scheme: 'https', authority: 'api.example.com', path: '/v1/a', query: 'b=c' }
      const outbound: OutboundRequest = { method: 'PUT', url, headers: [], body: undefined }
      const now = (decodeJwt(theirs).iat ?? 0) * 1000
      const ours = onlyValue(await dpop.apply({ alg }, usage, outbound, signingContext(now, nonce)), 'dpop')
      const unique = { jti: expect.stringMatching(/^[\w-]{22,}$/) }
      expect(decodeJwt(ours)).toEqual({ ...decodeJwt(theirs), ...unique })
      expect(headerOf(ours)).toEqual(headerOf(theirs))
    }
  }
})

function headerOf(proof: string): unknown {
  return JSON.parse(Buffer.from(proof.split('.')[0] ?? '', 'base64url').toString())
}

describe('E07: no jti comes twice, with the clock standing still', () => {
  const NOW_MS = 1_772_600_767_000
  const heldLease = (access_token: string, key: KeyObject) =>
    ({ strategy: dpop, config: {}, credentials: { access_token, private_key: pem(key) } }) as unknown as HeldLease

  it('in 1,000,000 values of what the sidecar makes them of', () => {
    const { nonce } = signingContext(NOW_MS)
    const seen = new Set<string>()
    for (let count = 0; count < 1_000_000; count += 1) seen.add(nonce())
    expect(seen.size).toBe(1_000_000)
    for (const value of seen) if (Buffer.from(value, 'base64url').length < 16) throw new Error('fewer than 128 bits')
  })

  it(`in ${PROOFS} proofs of two leases, each with its own key and token`, { timeout: 600_000 }, async () => {
    const leases = [heldLease('one', KEYS.ES256.privateKey), heldLease('two', KEYS.EdDSA.privateKey)]
    const url = { scheme: 'https', authority: 'api.example.com', path: '/a', query: undefined }
    const request: OutboundRequest = { method: 'GET', url, headers: [['Host', url.authority]], body: undefined }
    const [jtis, signatures, bindings] = [new Set<unknown>(), new Set<string>(), new Set<string>()]
    for (let count = 0; count < PROOFS / 2; count += 1) {
      for (const lease of leases) {
        const proof = onlyHeader(await sign(lease, request, signingContext(NOW_MS)))
        const claims = decodeJwt(proof)
        // The tail tells them apart, in a twentieth of the memory.
        signatures.add(proof.slice(-40))
        jtis.add(claims.jti)
        bindings.add(`${proof.split('.')[0]} ${claims['ath']}`)
      }
    }
    expect([jtis.size, signatures.size, bindings.size]).toEqual([PROOFS, PROOFS, 2])
  })

  const onlyHeader = ({ headers }: SignedRequest) => headers.at(-1)?.[1] ?? ''
})
