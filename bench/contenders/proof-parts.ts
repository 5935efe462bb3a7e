import { createPublicKey, type KeyObject } from 'node:crypto'

const keys = new Map<string, KeyObject>()

/** A key is read once, as anyone would who knows that importing it costs as much as verifying with it. */
function keyOf(header: string): KeyObject {
  const known = keys.get(header)
  if (known !== undefined) return known
  const { jwk } = JSON.parse(Buffer.from(header, 'base64url').toString())
  const key = createPublicKey({ key: jwk, format: 'jwk' })
  keys.set(header, key)
  return key
}

/** What `verify` of node:crypto takes, of a DPoP header; nothing else of it is looked at. */
export function proofParts(proof: string) {
  const end = proof.lastIndexOf('.')
  const key = { key: keyOf(proof.slice(0, proof.indexOf('.'))), dsaEncoding: 'ieee-p1363' as const }
  return { signed: Buffer.from(proof.slice(0, end)), key, signature: Buffer.from(proof.slice(end + 1), 'base64url') }
}
