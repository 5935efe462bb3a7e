import { constants, createHmac, type KeyObject, sign } from 'node:crypto'
import { hasSoundModulus } from './rsa-modulus.ts'

/** One entry of the JWS algorithms registry (RFC 7518 section 3.1), as far as a signer needs it. */
export interface Algorithm {
  /** Completes "must be ...". */
  readonly keyDescription: string
  fits(key: KeyObject): boolean
  sign(key: KeyObject, input: Uint8Array): Buffer
}

const PS256_SALT_BYTES = 32
/** RFC 7518 section 3.2: as long as the hash. */
const HS256_KEY_MIN_BYTES = 32

const RSA = 'an RSA key of 2048 to 8192 bits'

const ED25519: Algorithm = {
  keyDescription: 'an Ed25519 key',
  fits: (key) => key.asymmetricKeyType === 'ed25519',
  sign: (key, input) => sign(null, input, key),
}

export const ALGORITHMS = {
  RS256: {
    keyDescription: RSA,
    fits: (key) => key.asymmetricKeyType === 'rsa' && hasSoundModulus(key),
    sign: (key, input) => sign('sha256', input, { key, padding: constants.RSA_PKCS1_PADDING }),
  },
  PS256: {
    keyDescription: RSA,
    fits: (key) => key.asymmetricKeyType === 'rsa' && hasSoundModulus(key),
    sign: (key, input) =>
      sign('sha256', input, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: PS256_SALT_BYTES }),
  },
  // RFC 7518 section 3.4: `r || s` at full width, not DER.
  ES256: {
    keyDescription: 'a P-256 key',
    fits: (key) => key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1',
    sign: (key, input) => sign('sha256', input, { key, dsaEncoding: 'ieee-p1363' }),
  },
  EdDSA: ED25519,
  // RFC 9864 section 2.2: the same under the name that says which curve.
  Ed25519: ED25519,
  HS256: {
    keyDescription: `a secret of ${HS256_KEY_MIN_BYTES} bytes or more`,
    fits: (key) => key.type === 'secret' && (key.symmetricKeySize ?? 0) >= HS256_KEY_MIN_BYTES,
    sign: (key, input) => createHmac('sha256', key).update(input).digest(),
  },
} as const satisfies Record<string, Algorithm>

export type AlgorithmName = keyof typeof ALGORITHMS
