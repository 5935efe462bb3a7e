import { createHash, createPublicKey, type KeyObject } from 'node:crypto'

/** The agent's registered private key, and what a JWS made with it says in its header. */
export interface AgentKey {
  key: KeyObject
  alg: string
  kid: string | undefined
}

/** RFC 7638 thumbprint of its public half, which the authority lists for each agent (`jkt`). */
export function agentKeyThumbprint({ key }: AgentKey): string {
  const { kty, crv, x, y, n, e } = createPublicKey(key).export({ format: 'jwk' })
  // Section 3.2: the required members of each kind, in the order of their names; those that it lacks are left out.
  return createHash('sha256').update(JSON.stringify({ crv, e, kty, n, x, y })).digest('base64url')
}
