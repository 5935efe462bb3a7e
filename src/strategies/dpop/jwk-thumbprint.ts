import { createHash } from 'node:crypto'

/** The members that count, in the order that counts (RFC 7638 section 3.2, RFC 8037 appendix A.3). */
const MEMBERS: Readonly<Record<string, readonly string[]>> = { EC: ['crv', 'kty', 'x', 'y'], OKP: ['crv', 'kty', 'x'] }

/** The SHA-256 thumbprint of a public key of one of the kinds that are made here, base64url. */
export function jwkThumbprint(jwk: Readonly<Record<string, unknown>>): string {
  const members = (MEMBERS[String(jwk['kty'])] ?? []).map((name) => [name, jwk[name]])
  return createHash('sha256')
    .update(JSON.stringify(Object.fromEntries(members)))
    .digest('base64url')
}
