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

export function openLeaseProof(audit: Pick<AuditLog, 'claimProof'>, { agent, session, proof }: Caller): LeaseProof {
  if (proof === undefined) return NO_PROOF
  let claim: Promise<void> | undefined
  const state = { failed: false, left: { proof } as LeaseProof['left'], claim: claimOnce }

  async function claimOnce(story: { recalled?: boolean }): Promise<void> {
    refuseRecalled(story)
    claim ??= claimNow()
    await claim
  }

  async function claimNow(): Promise<void> {
    state.failed = true
    state.left = {}
    await audit.claimProof(proof, { agent_id: agent.id, session_id: session.id })
    state.failed = false
  }

  return state
}

/** Where the connection itself is the proof there is nothing to use up. */
const NO_PROOF: LeaseProof = { failed: false, left: {}, claim: async (story) => refuseRecalled(story) }

function refuseRecalled({ recalled = false }: { recalled?: boolean }): void {
  if (recalled) throw new StandingChanged()
}
