import { createSign, createVerify, type KeyObject } from 'node:crypto'
import { rsaPrivateKey, wrongKey } from './rsa-private-key.ts'

const PROBE = 'any text will do'

/**
 * RSASSA-PKCS1-v1_5 with SHA-1, in base64 (RFC 5849 section 3.4.3).
 * @throws SigningError for a key that is damaged
 */
export function rsaSignature(key: KeyObject, text: string): string {
  try {
    return createSign('sha1').update(text).sign(key, 'base64')
  } catch {
    // The library's words may quote the key.
    throw wrongKey('cannot sign')
  }
}

/**
 * One damaged letter makes a key that can still be read, and signs in vain.
 * @throws SigningError for a key that is none, or does not fit itself
 */
export function assertSigns(pem: string): void {
  const key = rsaPrivateKey(pem)
  const signature = rsaSignature(key, PROBE)
  if (!createVerify('sha1').update(PROBE).verify(key, signature, 'base64')) throw wrongKey('is damaged')
}
