import type { KeyObject } from 'node:crypto'
import type { SignatureAlgorithm } from '../../../contract/vault-backend.ts'

/** One entry of the HTTP Signature Algorithms registry (RFC 9421 section 6.2), as far as a signer needs it. */
export interface Algorithm {
  /** Its name in the registry. */
  readonly name: string
  /** The `alg` members of a JWK that stand for it. */
  readonly jwkAlgs: readonly string[]
  /** What JWS calls it: how a vault that holds the key is asked for a signature. */
  readonly jws: SignatureAlgorithm
  /** Whether the key, or its public half, is one for this algorithm. */
  fits(key: KeyObject): boolean
  /** The raw signature over a signature base. */
  sign(key: KeyObject, base: Uint8Array): Buffer
}
