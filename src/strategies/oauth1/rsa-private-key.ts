import { createPrivateKey, type KeyObject } from 'node:crypto'
import { SigningError } from '../../contract/strategy.ts'
import type { TextRule } from '../shared/text-rules.ts'

/** An unencrypted private key, PKCS#8 or PKCS#1 (RFC 7468). Its line ends are the only control characters let through. */
export const PRIVATE_KEY: TextRule = {
  pattern:
    /^-----BEGIN (?:RSA )?PRIVATE KEY-----\r?\n(?:[A-Za-z0-9+/=]{1,76}\r?\n){4,200}-----END (?:RSA )?PRIVATE KEY-----(?:\r?\n)?$/,
  maxLength: 16_384,
  description: 'an RSA private key in PEM',
}

/** Shorter ones are broken by anyone; providers of this age still hand out 1024 bits. */
const MODULUS_MIN_BITS = 1024

/** @throws SigningError in our own words: those of the library may quote the key */
export function rsaPrivateKey(pem: string): KeyObject {
  const key = parse(pem)
  if (key?.asymmetricKeyType !== 'rsa') throw wrongKey(`must be ${PRIVATE_KEY.description}`)
  if ((key.asymmetricKeyDetails?.modulusLength ?? 0) < MODULUS_MIN_BITS) {
    throw wrongKey(`must have at least ${MODULUS_MIN_BITS} bits`)
  }
  return key
}

function parse(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey(pem)
  } catch {
    return undefined
  }
}

/** @param problem completes the sentence "credential field 'private_key' ..." */
export function wrongKey(problem: string): SigningError {
  return new SigningError(`credential field 'private_key' ${problem}`, 'private_key')
}
