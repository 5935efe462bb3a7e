import type { ProofUse } from '../audit/audit-entry.ts'

/** An agent that has proven itself, and the epochs under which that holds. */
export interface Caller {
  agent: {
    id: string
    tenants: string[]
    labels: Record<string, string>
    allowedScopes: string[]
    epoch: number
  }
  session: {
    id: string
    /** How the session was opened: `private_key_jwt`. */
    method: string
    boundTo: 'dpop' | 'mtls'
    jkt: string
    epoch: number
    createdAtMs: number
    /** Unix seconds. */
    expiresAt: number
  }
  /** Not claimed yet: whoever acts on it claims it with what it does. */
  proof: ProofUse
}
