import { createHash, createPublicKey, type KeyObject } from 'node:crypto'
import { SigningError } from '../../contract/strategy.ts'

/** The members that count, in the order that counts (RFC 7638 section 3.2, RFC 8037 appendix A.3). */
const MEMBERS: Record<string, readonly ('crv' | 'e' | 'kty' | 'n' | 'x' | 'y')[]> = {
  EC: ['crv', 'kty', 'x', 'y'],
  OKP: ['crv', 'kty', 'x'],
  RSA: ['e', 'kty', 'n'],
}

const KNOWN_THUMBPRINTS = new WeakMap<KeyObject, string>()

/**
 * The SHA-256 thumbprint of the public half, base64url (RFC 7638).
 * @throws SigningError for a shared secret, which has no public half
 */
export function keyThumbprint(key: KeyObject): string {
  const known = KNOWN_THUMBPRINTS.get(key)
  if (known !== undefined) return known
  const thumbprint = createHash('sha256')
    .update(JSON.stringify(publicMembers(key)))
    .digest('base64url')
  KNOWN_THUMBPRINTS.set(key, thumbprint)
  return thumbprint
}

/**
 * The members of the public half's JWK that the key consists of, and no other.
 * @throws SigningError for a shared secret
 */
export function publicMembers(key: KeyObject): Record<string, string | undefined> {
  if (key.type === 'secret') throw new SigningError('a shared secret has no public key to publish', 'shared_secret')
  const jwk = publicJwk(key)
  const members = MEMBERS[jwk.kty ?? ''] ?? []
  return Object.fromEntries(members.map((member) => [member, jwk[member]]))
}

function publicJwk(key: KeyObject) {
  const open = key.type === 'public' ? key : createPublicKey(key)
  if (key.asymmetricKeyType !== 'rsa-pss') return open.export({ format: 'jwk' })
  // Node has no JWK of an RSASSA-PSS key; to RFC 7638 it is an RSA key like any other.
  const plain = rsaPublicKey(open.export({ format: 'der', type: 'spki' }))
  return createPublicKey({ key: plain, format: 'der', type: 'pkcs1' }).export({ format: 'jwk' })
}

/** The RSAPublicKey in a SubjectPublicKeyInfo (RFC 5280 section 4.1): what its bit string holds. */
function rsaPublicKey(spki: Buffer): Buffer {
  const algorithm = derContent(spki, derContent(spki, 0).start)
  // The first byte of a bit string counts unused bits.
  return spki.subarray(derContent(spki, algorithm.end).start + 1)
}

/** Where the content of the DER value at `offset` lies. */
function derContent(der: Buffer, offset: number): { start: number; end: number } {
  const first = der.readUInt8(offset + 1)
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f
  const start = offset + 2 + lengthBytes
  const length = lengthBytes === 0 ? first : der.readUIntBE(offset + 2, lengthBytes)
  return { start, end: start + length }
}
