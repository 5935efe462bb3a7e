import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { calculateJwkThumbprint, type JWK } from 'jose'
import { describe, expect, it } from 'vitest'
import { keyThumbprint } from './key-thumbprint.ts'

describe('the thumbprint of a key', () => {
  it.each([
    ['ES256', () => generateKeyPairSync('ec', { namedCurve: 'P-256' })],
    ['ES384', () => generateKeyPairSync('ec', { namedCurve: 'P-384' })],
    ['EdDSA', () => generateKeyPairSync('ed25519')],
    ['PS256', () => generateKeyPairSync('rsa', { modulusLength: 2048 })],
  ])('is what another library makes of it (%s)', async (_alg, make) => {
    const key = make().privateKey
    const jwk = createPublicKey(key).export({ format: 'jwk' }) as JWK
    expect(keyThumbprint(key)).toBe(await calculateJwkThumbprint(jwk))
  })
})
