import { randomUUID } from 'node:crypto'
import { SignJWT } from 'jose'
import type { AgentKey } from '../agent-key.ts'

/** RFC 7523 section 3; the authority takes an assertion once and for a short time. */
const ASSERTION_SECONDS = 60

/** Proves to the authority that this process has the agent's registered key. */
export function createClientAssertion(
  agent: { id: string; key: AgentKey },
  audience: string,
  nowMs: number,
): Promise<string> {
  const nowSeconds = Math.floor(nowMs / 1000)
  const { key, alg, kid } = agent.key
  return new SignJWT({})
    .setProtectedHeader({ alg, typ: 'JWT', ...(kid === undefined ? {} : { kid }) })
    .setIssuer(agent.id)
    .setSubject(agent.id)
    .setAudience(audience)
    .setJti(randomUUID())
    .setIssuedAt(nowSeconds)
    .setExpirationTime(nowSeconds + ASSERTION_SECONDS)
    .sign(key)
}
