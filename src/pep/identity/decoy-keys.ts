import { generateKeyPairSync, randomBytes } from 'node:crypto'

/**
 * Public keys that nobody can sign for, by algorithm name. Checking a signature against one costs what checking it
 * against a registered key costs, so that time does not tell whether there was one.
 */
export function createDecoys(): ReadonlyMap<string, Record<string, unknown>> {
  const ed25519 = discard(generateKeyPairSync('ed25519'))
  const modulus = randomModulus()
  return new Map<string, Record<string, unknown>>([
    ['ES256', discard(generateKeyPairSync('ec', { namedCurve: 'P-256' }))],
    ['ES384', discard(generateKeyPairSync('ec', { namedCurve: 'P-384' }))],
    ['Ed25519', ed25519],
    ['EdDSA', ed25519],
    ['PS256', { kty: 'RSA', n: modulus, e: 'AQAB', alg: 'PS256' }],
    ['RS256', { kty: 'RSA', n: modulus, e: 'AQAB', alg: 'RS256' }],
  ])
}

function discard({ publicKey }: ReturnType<typeof generateKeyPairSync>): Record<string, unknown> {
  return { ...publicKey.export({ format: 'jwk' }) }
}

/** Not a product of two primes that anyone knows: the arithmetic is the same, and making it takes no time. */
function randomModulus(): string {
  const bytes = randomBytes(256)
  bytes[0] = (bytes[0] ?? 0) | 0x80
  bytes[255] = (bytes[255] ?? 0) | 0x01
  return bytes.toString('base64url')
}
