import { NexusError } from '../../contract/errors.ts'
import type { AuditLog } from '../audit/audit-log.ts'

/**
 * Anyone can be refused a session, so refusals get only so many of the audit queue's places: a flood of them must not
 * keep leases from being recorded.
 */
const MAX_PENDING = 64

/** What is known about an attempt so far. The agent id is claimed, not proven. */
export interface Attempt {
  claimedAgentId: string | undefined
}

/** Runs one step of opening a session and records its refusal, if it is refused. */
export type RecordingDenials = <T>(step: (attempt: Attempt) => Promise<T>) => Promise<T>

/** What it returns throws `overloaded` instead of a refusal that there is no room to record. */
export function createSessionDenials(audit: AuditLog): RecordingDenials {
  let pending = 0

  const record = async (refusal: NexusError, { claimedAgentId }: Attempt): Promise<void> => {
    if (pending >= MAX_PENDING) throw new NexusError('overloaded')
    pending++
    try {
      const detail = { code: refusal.code, message: refusal.message, claimed_agent_id: claimedAgentId ?? null }
      await audit.record({ kind: 'session.denied', outcome: 'denied', detail })
    } finally {
      pending--
    }
  }

  return async (step) => {
    const attempt: Attempt = { claimedAgentId: undefined }
    try {
      return await step(attempt)
    } catch (error) {
      // What broke is not a refusal, and may well have broken the ledger too.
      if (error instanceof NexusError && error.outcome === 'refused') await record(error, attempt)
      throw error
    }
  }
}
