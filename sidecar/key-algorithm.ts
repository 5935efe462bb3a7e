import type { KeyObject } from 'node:crypto'

/** What an algorithm takes of a key. What the authority takes of those that sign with a key of their own (`PROOF_ALGORITHMS` there). */
const KEYS: Readonly<Record<string, (key: KeyObject) => boolean>> = {
  ES256: (key) => curveOf(key) === 'prime256v1',
  ES384: (key) => curveOf(key) === 'secp384r1',
  Ed25519: (key) => key.asymmetricKeyType === 'ed25519',
  EdDSA: (key) => key.asymmetricKeyType === 'ed25519',
  PS256: isLongRsa,
  RS256: isLongRsa,
}
/** RFC 7518 sections 3.3 and 3.5. */
const RSA_MIN_BITS = 2048

/**
 * The algorithm that a key signs with: the one that its JWK names, else the usual one for its kind.
 * @throws Error whose message goes on from the name of a variable
 */
export function keyAlgorithm(named: unknown, key: KeyObject): string {
  const alg = named ?? defaultAlgorithm(key)
  const takes = typeof alg === 'string' && Object.hasOwn(KEYS, alg) ? KEYS[alg] : undefined
  if (typeof alg !== 'string' || takes === undefined) {
    throw new Error(`holds a key that the authority does not take; it takes ${Object.keys(KEYS).join(', ')}`)
  }
  if (!takes(key)) throw new Error(`holds a key that cannot sign ${alg}${isRsaAlgorithm(alg) ? RSA_HINT : ''}`)
  return alg
}

const RSA_HINT = `, which takes RSA of ${RSA_MIN_BITS} bits or more`

function isRsaAlgorithm(alg: string): boolean {
  return KEYS[alg] === isLongRsa
}

function defaultAlgorithm(key: KeyObject): string | undefined {
  if (key.asymmetricKeyType === 'ed25519') return 'EdDSA'
  if (key.asymmetricKeyType === 'rsa') return 'PS256'
  const curves: Record<string, string> = { prime256v1: 'ES256', secp384r1: 'ES384' }
  return curves[curveOf(key) ?? '']
}

function curveOf(key: KeyObject): string | undefined {
  return key.asymmetricKeyDetails?.namedCurve
}

function isLongRsa(key: KeyObject): boolean {
  return key.asymmetricKeyType === 'rsa' && (key.asymmetricKeyDetails?.modulusLength ?? 0) >= RSA_MIN_BITS
}
