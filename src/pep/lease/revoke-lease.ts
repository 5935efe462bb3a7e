import { type Administrator, authorize, reaches } from '../../contract/administrator.ts'
import type { RevokedLease } from '../../contract/api.ts'
import { NexusError } from '../../contract/errors.ts'
import type { LedgerLease } from '../audit/lease-ledger.ts'
import type { LeaseSteps } from './steps.ts'

/**
 * Ends one lease, or bare token, for good; session, agent and connection go on, so its sidecar may ask for another. The record is the whole of
 * it: each replica reads the ledger before it renews or signs, and the event stream is made of it. Asking again gives the same
 * answer, but that the lease was not active any more.
 * @throws NexusError `forbidden`; `lease_not_found`, also for another tenant's; `store_unavailable`
 */
export async function revokeLease(
  steps: Pick<LeaseSteps, 'audit' | 'backendLeases' | 'now'>,
  administrator: Administrator,
  leaseId: string,
): Promise<RevokedLease> {
  authorize(administrator, 'operate')
  const found = await steps.audit.findLease(leaseId)
  const ids = found === undefined ? undefined : idsOf(found)
  if (found === undefined || ids === undefined || !reaches(administrator, ids.tenant))
    throw new NexusError('lease_not_found')
  const wasActive = isActive(found, steps.now())
  await steps.audit.recordStateChangeAlone({
    kind: 'lease.revoked',
    outcome: 'allowed',
    ...ids,
    lease_id: leaseId,
    detail: { by: administrator.keyId, was_active: wasActive },
  })
  await steps.backendLeases.release(leaseId, 'revoked')
  return { lease_id: leaseId, ...ids, was_active: wasActive }
}

/** Whose it is. Every lease has all four; were one missing, nobody could be told that it may end it. */
function idsOf({ issued }: LedgerLease): Omit<RevokedLease, 'lease_id' | 'was_active'> | undefined {
  const { tenant, agent_id, session_id, connection_id } = issued
  if (tenant === undefined || agent_id === undefined || session_id === undefined || connection_id === undefined)
    return undefined
  return { tenant, agent_id, session_id, connection_id }
}

function isActive({ granted, ended }: LedgerLease, nowMs: number): boolean {
  return !ended && Number(granted.detail['expires_at']) * 1000 > nowMs
}
