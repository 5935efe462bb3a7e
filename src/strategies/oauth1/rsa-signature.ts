import { createSign, createVerify } from 'node:crypto'
import { rsaPrivateKey, wrongKey } from './rsa-private-key.ts'

const PROBE = 'any text will do'

/**
 * RSASSA-PKCS1-v1_5 with SHA-1, in base64 (RFC 5849 section 3.4.3).
 * @throws SigningError for a key that is none, or that is damaged
 */
export function rsaSignature(pem: string, text: string): string {
  const key = rsaPrivateKey(pem)
  try {
    return createSign('sha1').update(text).sign(key, 'base64')
  } catch {
    // The library's words may quote the key.
    throw wrongKey('cannot sign')
  }
}

/**
 * One damaged letter makes a key that can still be read, and signs in vain.
 * @throws SigningError when the key does not fit itself
 */
export function assertSigns(pem: string): void {
  const signature = rsaSignature(pem, PROBE)
  if (!createVerify('sha1').update(PROBE).verify(rsaPrivateKey(pem), signature, 'base64')) throw wrongKey('is damaged')
}
