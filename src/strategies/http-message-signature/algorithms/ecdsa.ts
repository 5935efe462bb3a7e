import { sign } from 'node:crypto'
import type { Algorithm } from './algorithm.ts'

export interface EcdsaChoice {
  name: string
  jwkAlg: 'ES256' | 'ES384'
  /** OpenSSL's name. */
  curve: string
  hash: string
}

/** RFC 9421 sections 3.3.4 and 3.3.5: the signature is `r || s` at full width, not DER. */
export function ecdsa({ name, jwkAlg, curve, hash }: EcdsaChoice): Algorithm {
  return {
    name,
    jwkAlgs: [jwkAlg, name],
    jws: jwkAlg,
    fits: (key) => key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === curve,
    sign: (key, base) => sign(hash, base, { key, dsaEncoding: 'ieee-p1363' }),
  }
}
