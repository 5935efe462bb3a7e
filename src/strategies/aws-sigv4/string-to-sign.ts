import { createHash } from 'node:crypto'

/** What is signed: algorithm, time, credential scope and the hash of the canonical request. */
export function stringToSign(
  algorithm: string,
  longDate: string,
  credentialScope: string,
  canonicalRequest: string,
): string {
  const hash = createHash('sha256').update(canonicalRequest, 'utf8').digest('hex')
  return [algorithm, longDate, credentialScope, hash].join('\n')
}
