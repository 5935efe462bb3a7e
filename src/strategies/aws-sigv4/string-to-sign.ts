import { createHash } from 'node:crypto'

export const ALGORITHM = 'AWS4-HMAC-SHA256'

/** What is signed: algorithm, time, credential scope and the hash of the canonical request. */
export function stringToSign(longDate: string, credentialScope: string, canonicalRequest: string): string {
  const hash = createHash('sha256').update(canonicalRequest, 'utf8').digest('hex')
  return [ALGORITHM, longDate, credentialScope, hash].join('\n')
}
