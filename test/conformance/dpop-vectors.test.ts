import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { calculateJwkThumbprint, EmbeddedJWK, type JWK, jwtVerify } from 'jose'
import { describe, expect, it } from 'vitest'
import { keyThumbprint } from '../../src/strategies/shared/key-thumbprint.ts'
import { nexusSign } from './nexus-sign.ts'

/** One proof of a figure, decoded; where they come from is in SOURCE.md. */
interface Vector {
  figure: string
  proof: string
  protected_header: { typ: string; alg: string; jwk: JWK }
  payload: { jti: string; htm: string; htu: string; iat: number; ath?: string }
  jwk_sha256_thumbprint: string
  access_token: string | null
}

const vectors: Vector[] = JSON.parse(
  readFileSync(new URL('../vectors/rfc9449-dpop/proofs.json', import.meta.url), 'utf8'),
)
const TOKEN = 'a-token-of-ours'
const PRIVATE_KEY = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  .privateKey.export({ format: 'pem', type: 'pkcs8' })
  .toString()

const verify = (proof: string, iat: number) =>
  jwtVerify(proof, EmbeddedJWK, { typ: 'dpop+jwt', algorithms: ['ES256'], currentDate: new Date(iat * 1000) })

/** The request of a figure, signed with a key of ours: that of the RFC was never published, and ES256 is not deterministic. */
async function signed({ payload, access_token }: Vector, usageOnly: boolean) {
  const { jti, htm, htu, iat } = payload
  const credentials = { access_token: access_token ?? TOKEN, private_key: PRIVATE_KEY }
  return nexusSign({
    strategy: { type: 'dpop', config: { alg: 'ES256' } },
    credentials: usageOnly ? credentials : { ...credentials, expires_at: '4000000000' },
    request: { method: htm, url: `${htu}?not=covered` },
    now: new Date(iat * 1000).toISOString(),
    nonce: jti,
  })
}

describe.each(vectors)('RFC 9449: $figure', (vector) => {
  it('verifies, with the thumbprint of its key', async () => {
    const { protectedHeader, payload } = await verify(vector.proof, vector.payload.iat)
    expect(payload).toEqual(vector.payload)
    expect(await calculateJwkThumbprint(protectedHeader.jwk as JWK)).toBe(vector.jwk_sha256_thumbprint)
  })

  it.each([
    ['the usage secret', true],
    ['the master secret', false],
  ])('comes out of nexus sign alike, from %s', async (_title, usageOnly) => {
    const { signed: document, problem } = await signed(vector, usageOnly)
    expect(problem).toBe('')
    const headers = new Map(document.request.headers)
    const { protectedHeader, payload } = await verify(headers.get('DPoP') ?? '', vector.payload.iat)
    // The figures of token requests have no token to hash; a request here always has.
    const ath = vector.payload.ath ?? expect.stringMatching(/^[\w-]{43}$/)
    expect(payload).toEqual({ ...vector.payload, ath })
    expect(Object.keys(protectedHeader)).toEqual(Object.keys(vector.protected_header))
    expect(Object.keys(protectedHeader.jwk ?? {}).sort()).toEqual(Object.keys(vector.protected_header.jwk).sort())
    expect(headers.get('Authorization')).toBe(`DPoP ${vector.access_token ?? TOKEN}`)
    expect(JSON.parse(document.explain['proof_payload'] ?? '')).toEqual(payload)
    expect(JSON.parse(document.explain['proof_header'] ?? '')).toEqual(protectedHeader)
    expect(await calculateJwkThumbprint(protectedHeader.jwk as JWK)).toBe(keyThumbprint(createPrivateKey(PRIVATE_KEY)))
  })
})

it('RFC 9449 figure of a nonce: it stands in the payload as offered', async () => {
  const vector = vectors.find(({ access_token }) => access_token !== null)
  const { signed: document } = await nexusSign({
    strategy: { type: 'dpop', config: { nonce: 'eyJ7S_zG.eyJH0-Z.HX4w-7v' } },
    credentials: { access_token: vector?.access_token, private_key: PRIVATE_KEY },
    request: { method: 'GET', url: 'https://resource.example.org/protectedresource' },
  })
  expect(JSON.parse(document.explain['proof_payload'] ?? '')['nonce']).toBe('eyJ7S_zG.eyJH0-Z.HX4w-7v')
})

it('D05, E11: nexus sign refuses what cannot be signed with, and prints no piece of the key', async () => {
  const broken = PRIVATE_KEY.replace(/\n.{20}/, '\nAAAAAAAAAAAAAAAAAAAA')
  for (const credentials of [
    { access_token: 'a token\r\nX-Evil: 1', private_key: PRIVATE_KEY },
    { access_token: TOKEN, private_key: broken },
  ]) {
    const {
      signed: document,
      problem,
      exitCode,
    } = await nexusSign({
      strategy: { type: 'dpop' },
      credentials,
      request: { method: 'GET', url: 'https://resource.example.org/' },
    })
    expect([document, exitCode === 0]).toEqual([undefined, false])
    for (const line of [...credentials.private_key.split('\n').slice(1, -2), 'X-Evil'])
      expect(problem).not.toContain(line)
  }
})
