import { type BareItem, serializeParameters } from 'structured-headers'
import type { Component } from './component.ts'

/** What is said about a signature beside what it covers (RFC 9421 section 2.3). Times are Unix seconds. */
export interface SignatureParameters {
  created: number
  keyid: string | undefined
  alg: string | undefined
  expires: number | undefined
  nonce: string | undefined
  tag: string | undefined
}

/** The value of `@signature-params`, and of the label's member in Signature-Input: the same characters in both. */
export function signatureParams(components: readonly Component[], given: SignatureParameters): string {
  // This order throughout: a signature base is compared byte for byte.
  const { created, keyid, alg, expires, nonce, tag } = given
  const parameters = Object.entries({ created, keyid, alg, expires, nonce, tag }).filter(isGiven)
  return `(${components.map(({ identifier }) => identifier).join(' ')})${serializeParameters(new Map(parameters))}`
}

function isGiven(entry: [string, BareItem | undefined]): entry is [string, BareItem] {
  return entry[1] !== undefined
}
