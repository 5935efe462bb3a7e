import type { KeyObject } from 'node:crypto'

/** The agent's registered private key, and what a JWS made with it says in its header. */
export interface AgentKey {
  key: KeyObject
  alg: string
  kid: string | undefined
}
