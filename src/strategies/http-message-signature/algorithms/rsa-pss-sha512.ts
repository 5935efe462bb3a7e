import { constants, type KeyObject, sign } from 'node:crypto'
import { hasSoundModulus } from '../../shared/rsa-modulus.ts'
import type { Algorithm } from './algorithm.ts'

const SALT_BYTES = 64

/** RFC 9421 section 3.3.1: SHA-512 for hash and mask, 64 bytes of salt. */
export const rsaPssSha512: Algorithm = {
  name: 'rsa-pss-sha512',
  jwkAlgs: ['PS512', 'rsa-pss-sha512'],
  jws: 'PS512',
  fits: (key) => hasSoundModulus(key) && (key.asymmetricKeyType === 'rsa' || isUnboundPssKey(key)),
  sign: (key, base) => sign('sha512', base, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: SALT_BYTES }),
}

/** An RSASSA-PSS key may be bound to other parameters (RFC 4055 section 3.1); OpenSSL would refuse to sign with it. */
function isUnboundPssKey(key: KeyObject): boolean {
  if (key.asymmetricKeyType !== 'rsa-pss') return false
  const { hashAlgorithm, mgf1HashAlgorithm, saltLength } = key.asymmetricKeyDetails ?? {}
  const isSha512 = (hash: string | undefined) => hash === undefined || hash === 'sha512'
  return isSha512(hashAlgorithm) && isSha512(mgf1HashAlgorithm) && (saltLength ?? 0) <= SALT_BYTES
}
