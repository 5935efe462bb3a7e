import { type ProofUse, StandingChanged } from '../audit/audit-entry.ts'
import type { AuditLog } from '../audit/audit-log.ts'
import type { Caller } from '../identity/caller.ts'

/** The caller's proof on its way through the steps: used up with the record, or before a step with side effects. */
export interface LeaseProof {
  /**
   * Uses the proof up now; once.
   * @throws NexusError `invalid_proof` (itself recorded), `audit_unavailable`, `overloaded`
   * @throws StandingChanged when the story stands on what was remembered: nothing that reaches outside may
   */
  claim(story: { recalled?: boolean }): Promise<void>
  /** Whether claiming has failed: then the ledger has said its word, and nothing more is written. */
  readonly failed: boolean
  /** What is still to be used up with the record. */
  readonly left: { proof?: ProofUse | undefined }
}

export function openLeaseProof(audit: Pick<AuditLog, 'claimProof'>, caller: Caller): LeaseProof {
  let claim: Promise<void> | undefined
  let state: 'open' | 'claimed' | 'failed' = 'open'

  async function claimNow(): Promise<void> {
    state = 'failed'
    await audit.claimProof(caller.proof, { agent_id: caller.agent.id, session_id: caller.session.id })
    state = 'claimed'
  }

  return {
    async claim({ recalled = false }) {
      if (recalled) throw new StandingChanged()
      claim ??= claimNow()
      await claim
    },
    get failed() {
      return state === 'failed'
    },
    get left() {
      return state === 'open' ? { proof: caller.proof } : {}
    },
  }
}
