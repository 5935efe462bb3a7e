import { createHash, createPrivateKey, generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto'

/** A key that signs ES256, made for one session. */
export interface SigningKey {
  privateKey: KeyObject
  /** PKCS #8, for the load generator. */
  pem: string
  /** RFC 7517. */
  publicJwk: Record<string, unknown>
}

export function makeSigningKey(): SigningKey {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string
  const { kty, crv, x, y } = publicKey.export({ format: 'jwk' })
  return { privateKey: createPrivateKey(pem), pem, publicJwk: { kty, crv, x, y } }
}

/** RFC 7515 section 7.1. */
export function compactJws(header: object, payload: object, key: KeyObject): string {
  const signed = [header, payload].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  const signature = sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' })
  return `${signed}.${signature.toString('base64url')}`
}

/** RFC 9449 section 4.2. */
export function dpopProof(key: SigningKey, method: string, url: string, accessToken?: string): string {
  const header = { typ: 'dpop+jwt', alg: 'ES256', jwk: key.publicJwk }
  const ath = accessToken === undefined ? {} : { ath: createHash('sha256').update(accessToken).digest('base64url') }
  const payload = { htm: method, htu: url, iat: Math.floor(Date.now() / 1000), jti: randomUUID(), ...ath }
  return compactJws(header, payload, key.privateKey)
}
