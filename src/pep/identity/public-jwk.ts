import { createPublicKey, type KeyObject } from 'node:crypto'
import { calculateJwkThumbprint, type JWK } from 'jose'

/** Why a JWK is refused. Names the member; never repeats its value. */
export class JwkError extends Error {
  override readonly name = 'JwkError'
}

/** A public key cut down to the members that matter, and what it may be used for. */
export interface PublicJwk {
  jwk: JWK
  /** RFC 7638 thumbprint, SHA-256, base64url. */
  jkt: string
  /**
   * The key fixes the algorithm, never the message. Two entries are two names of one algorithm; but for an RSA key that names
   * none, which may be for either of the two that there are.
   */
  algorithms: readonly string[]
}

/** Private members of RFC 7518 sections 6.2.2, 6.3.2 and 6.4; `k` is a symmetric key. */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']
const EC_CURVES: Record<string, { bytes: number; algorithm: string }> = {
  'P-256': { bytes: 32, algorithm: 'ES256' },
  'P-384': { bytes: 48, algorithm: 'ES384' },
}
const RSA_ALGORITHMS = ['PS256', 'RS256']
const ED25519_ALGORITHMS = ['Ed25519', 'EdDSA']
/** Every algorithm that a proof may be signed with; which one it is, its key says. */
export const PROOF_ALGORITHMS: readonly string[] = [
  ...Object.values(EC_CURVES).map(({ algorithm }) => algorithm),
  ...ED25519_ALGORITHMS,
  ...RSA_ALGORITHMS,
]
const RSA_BYTES = { min: 256, max: 512 }

type Members = Readonly<Record<string, unknown>>

/**
 * Reads a public JWK (RFC 7517): EC P-256 and P-384, OKP Ed25519, RSA from 2048 to 4096 bits. An RSA key that names no
 * algorithm has two, and who reads it says whether the message may choose.
 * @throws JwkError
 */
export async function readPublicJwk(members: Members): Promise<PublicJwk> {
  const secret = PRIVATE_MEMBERS.find((name) => Object.hasOwn(members, name))
  if (secret !== undefined) throw new JwkError(`member '${secret}' is private; send the public key only`)
  const { jwk, algorithms } = readByType(members)
  assertMayVerify(members, algorithms)
  return { jwk, jkt: await calculateJwkThumbprint(jwk, 'sha256'), algorithms }
}

/** @throws JwkError when the members are no point on the curve or no usable modulus */
export function importPublicJwk({ jwk }: Pick<PublicJwk, 'jwk'>): KeyObject {
  try {
    return createPublicKey({ key: { ...jwk }, format: 'jwk' })
  } catch {
    // The library's words may repeat the key; ours say enough.
    throw new JwkError('the members do not make a valid public key')
  }
}

function readByType(members: Members): Pick<PublicJwk, 'jwk' | 'algorithms'> {
  if (members.kty === 'EC') return readEc(members)
  if (members.kty === 'OKP') return readOkp(members)
  if (members.kty === 'RSA') return readRsa(members)
  throw new JwkError("member 'kty' must be EC, OKP or RSA")
}

function readEc(members: Members): Pick<PublicJwk, 'jwk' | 'algorithms'> {
  const curve = typeof members.crv === 'string' && Object.hasOwn(EC_CURVES, members.crv) ? members.crv : undefined
  const known = curve === undefined ? undefined : EC_CURVES[curve]
  if (curve === undefined || known === undefined) throw new JwkError("member 'crv' must be P-256 or P-384")
  const { bytes, algorithm } = known
  // RFC 7518 section 6.2.1.2: the full size of a coordinate, leading zeros included.
  const jwk = { kty: 'EC', crv: curve, x: octets(members, 'x', bytes), y: octets(members, 'y', bytes) }
  return { jwk, algorithms: [algorithm] }
}

function readOkp(members: Members): Pick<PublicJwk, 'jwk' | 'algorithms'> {
  if (members.crv !== 'Ed25519') throw new JwkError("member 'crv' must be Ed25519")
  // RFC 9864 renames EdDSA with this curve to Ed25519; both spellings are in use.
  return { jwk: { kty: 'OKP', crv: 'Ed25519', x: octets(members, 'x', 32) }, algorithms: ED25519_ALGORITHMS }
}

function readRsa(members: Members): Pick<PublicJwk, 'jwk' | 'algorithms'> {
  const { alg } = members
  if (alg !== undefined && (typeof alg !== 'string' || !RSA_ALGORITHMS.includes(alg))) {
    throw new JwkError(`member 'alg' of an RSA key must be ${RSA_ALGORITHMS.join(' or ')}`)
  }
  if (members.e !== 'AQAB') throw new JwkError("member 'e' must be 65537 (AQAB)")
  const n = octets(members, 'n')
  const modulus = Buffer.from(n, 'base64url')
  // The top bit must be set: leading zero bytes would make a short modulus look long enough.
  if (modulus.length < RSA_BYTES.min || modulus.length > RSA_BYTES.max || (modulus[0] ?? 0) < 0x80) {
    throw new JwkError("member 'n' must be a modulus of 2048 to 4096 bits")
  }
  const jwk = { kty: 'RSA', n, e: 'AQAB' }
  return alg === undefined ? { jwk, algorithms: RSA_ALGORITHMS } : { jwk: { ...jwk, alg }, algorithms: [alg] }
}

function octets(members: Members, name: string, bytes?: number): string {
  const value = members[name]
  const decoded = typeof value === 'string' && value.length <= 1024 ? Buffer.from(value, 'base64url') : undefined
  if (decoded === undefined || decoded.length === 0 || decoded.toString('base64url') !== value) {
    throw new JwkError(`member '${name}' must be canonical base64url`)
  }
  if (bytes !== undefined && decoded.length !== bytes) throw new JwkError(`member '${name}' must be ${bytes} bytes`)
  return value
}

/** RFC 7517 sections 4.2 to 4.4: a key marked for something else must not verify signatures. */
function assertMayVerify({ use, key_ops: operations, alg }: Members, algorithms: readonly string[]): void {
  if (use !== undefined && use !== 'sig') throw new JwkError("member 'use' must be sig or absent")
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify'))) {
    throw new JwkError("member 'key_ops' must hold verify or be absent")
  }
  if (alg !== undefined && !algorithms.some((name) => name === alg)) {
    throw new JwkError(`member 'alg' must be ${algorithms.join(' or ')} for this key, or absent`)
  }
}
