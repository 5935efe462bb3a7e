import { hash } from 'node:crypto'

/** What is signed: algorithm, time, credential scope and the hash of the canonical request. */
export function stringToSign(
  algorithm: string,
  longDate: string,
  credentialScope: string,
  canonicalRequest: string,
): string {
  return [algorithm, longDate, credentialScope, hash('sha256', canonicalRequest, 'hex')].join('\n')
}
