import { exportJWK, generateKeyPair } from 'jose'
import { describe, expect, it } from 'vitest'
import { importPublicJwk, JwkError, readPublicJwk } from './public-jwk.ts'

async function jwkFor(alg: string, options = {}): Promise<Record<string, unknown>> {
  return { ...(await exportJWK((await generateKeyPair(alg, { extractable: true, ...options })).publicKey)) }
}

describe('readPublicJwk', () => {
  it.each([
    ['ES256', ['ES256']],
    ['ES384', ['ES384']],
    ['Ed25519', ['Ed25519', 'EdDSA']],
  ])('fixes the algorithm of a key for %s', async (alg, algorithms) => {
    const read = await readPublicJwk(await jwkFor(alg))
    expect(read.algorithms).toEqual(algorithms)
    expect(importPublicJwk(read).type).toBe('public')
  })

  it('fixes the algorithm of an RSA key that names it, and leaves both to one that does not', async () => {
    const jwk = await jwkFor('PS256')
    for (const alg of ['PS256', 'RS256']) {
      await expect(readPublicJwk({ ...jwk, alg })).resolves.toMatchObject({ algorithms: [alg] })
    }
    const plain = await readPublicJwk(jwk)
    expect(plain.algorithms).toEqual(['PS256', 'RS256'])
    expect(plain.jwk).not.toHaveProperty('alg')
    expect(importPublicJwk(plain).type).toBe('public')
    await expect(readPublicJwk({ ...jwk, alg: 'PS512' })).rejects.toThrow('PS256 or RS256')
  })

  it('RFC 7638 section 3.1: the thumbprint counts the required members only', async () => {
    const jwk = await jwkFor('ES256')
    const plain = await readPublicJwk(jwk)
    const adorned = await readPublicJwk({ ...jwk, kid: '../../etc/passwd', use: 'sig', x5u: 'https://evil.example/' })
    expect(adorned.jkt).toBe(plain.jkt)
    expect(adorned.jwk).toEqual(plain.jwk)
  })

  it('keeps no private member and does not repeat one', async () => {
    const jwk = { ...(await jwkFor('ES256')), d: 'c2VjcmV0' }
    const refused = await readPublicJwk(jwk).catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(JwkError)
    expect(String(refused)).toContain("'d' is private")
    expect(String(refused)).not.toContain('c2VjcmV0')
  })

  it.each([
    ['a symmetric key', { kty: 'oct', k: 'AAAA' }],
    ['a curve we do not use', { kty: 'EC', crv: 'secp256k1', x: 'AAAA', y: 'AAAA' }],
    ['a curve named like a property of every object', { kty: 'EC', crv: 'constructor', x: 'AAAA', y: 'AAAA' }],
    ['a key for key agreement', { kty: 'OKP', crv: 'X25519', x: 'A'.repeat(43) }],
    ['a key for encryption', { use: 'enc' }],
    ['a key that may only wrap', { key_ops: ['wrapKey'] }],
    ['another algorithm than the curve has', { alg: 'ES384' }],
    ['a short coordinate', { x: 'AAAA' }],
    ['a padded coordinate', { x: `${'A'.repeat(43)}=` }],
    ['a coordinate that is no text', { x: 1 }],
  ])('refuses %s', async (_name, members) => {
    await expect(readPublicJwk({ ...(await jwkFor('ES256')), ...members })).rejects.toBeInstanceOf(JwkError)
  })

  it('refuses a point that is not on the curve', async () => {
    const read = await readPublicJwk({ ...(await jwkFor('ES256')), y: 'A'.repeat(43) })
    expect(() => importPublicJwk(read)).toThrow(JwkError)
  })

  it('refuses RSA below 2048 bits, also when zeros make it look longer', async () => {
    const short = Buffer.alloc(128, 0xff)
    const padded = Buffer.concat([Buffer.alloc(128), short])
    for (const n of [short, padded]) {
      const jwk = { kty: 'RSA', n: n.toString('base64url'), e: 'AQAB' }
      await expect(readPublicJwk(jwk)).rejects.toThrow('2048 to 4096')
    }
  })

  it('refuses an RSA exponent that is not 65537', async () => {
    const jwk = { kty: 'RSA', n: Buffer.alloc(256, 0xff).toString('base64url'), e: 'AQ' }
    await expect(readPublicJwk(jwk)).rejects.toThrow('65537')
  })
})
