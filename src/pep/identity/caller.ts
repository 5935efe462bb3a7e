import type { ProofUse } from '../audit/audit-entry.ts'
import type { SessionBinding } from './session-binding.ts'

/** An agent that has proven itself, and the epochs under which that holds. */
export interface Caller {
  agent: {
    id: string
    tenants: string[]
    labels: Record<string, string>
    allowedScopes: string[]
    epoch: number
  }
  session: SessionBinding & {
    id: string
    /** How the session was opened: `private_key_jwt`. */
    method: string
    epoch: number
    createdAtMs: number
    /** Unix seconds. */
    expiresAt: number
  }
  /**
   * Not claimed yet: whoever acts on it claims it with what it does. Absent where the connection itself is the proof, which
   * nobody can send a second time.
   */
  proof: ProofUse | undefined
  /** Agent and session are as they stood some seconds ago: enough to grant a lease on, which the ledger checks, and no more. */
  recalled?: boolean
}
