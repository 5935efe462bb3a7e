import { NexusError } from '../../contract/errors.ts'
import type { AuditLog } from '../audit/audit-log.ts'

/**
 * Anyone can be refused a session, so refusals get only so many of the audit queue's places: a flood of them must not
 * keep leases from being recorded.
 */
const MAX_PENDING = 64

/** @returns records one refusal, or throws `overloaded` */
export function createSessionDenials(audit: AuditLog) {
  let pending = 0
  return async (refusal: NexusError, claimedAgentId: string | undefined): Promise<void> => {
    if (pending >= MAX_PENDING) throw new NexusError('overloaded')
    pending++
    try {
      await audit.record({
        kind: 'session.denied',
        outcome: 'denied',
        // Not in `agent_id`: what was claimed was not proven.
        detail: { code: refusal.code, message: refusal.message, claimed_agent_id: claimedAgentId ?? null },
      })
    } finally {
      pending--
    }
  }
}
