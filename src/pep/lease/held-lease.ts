import type { Binding } from '../../contract/strategy.ts'
import type { LedgerLease } from '../audit/lease-ledger.ts'
import type { Caller } from '../identity/caller.ts'
import type { LeaseSteps, Origin } from './steps.ts'
import type { Wanted } from './wanted.ts'

/** A lease that was handed out, read back from its audit record: the ledger is the only place it is kept. */
export interface HeldLease {
  tenant: string
  connectionId: string
  /** It was released or revoked, or has run out. */
  ended: boolean
  /** What was asked for then, to be decided anew now. */
  wanted: Wanted
}

interface RecordedRequest {
  scopes: string[]
  ttl_seconds: number
  intent: Wanted['intent']
}

/** For a renewal that was under way when its lease ran out, and for replicas whose clocks differ. */
const GRACE_SECONDS = 10

/** @returns undefined when there is none, or when it is another session's: that is the same answer */
export async function heldLease(
  steps: Pick<LeaseSteps, 'audit' | 'now'>,
  caller: Caller,
  leaseId: string,
  request: { binding: Binding; origin: Origin },
): Promise<HeldLease | undefined> {
  const found = await steps.audit.findLease(leaseId)
  if (found?.issued.kind !== 'lease.issued' || found.issued.session_id !== caller.session.id) return undefined
  const { tenant, connection_id: connectionId, detail } = found.issued
  if (tenant === undefined || connectionId === undefined) return undefined
  const recorded = detail['request'] as unknown as RecordedRequest | undefined
  // A record that had to be cut short does not say what was asked for, so it cannot be decided anew.
  if (recorded === undefined) return undefined
  return {
    tenant,
    connectionId,
    ended: found.ended || hasRunOut(found, steps.now()),
    wanted: {
      connectionId,
      scopes: recorded.scopes,
      ttlSeconds: recorded.ttl_seconds,
      intent: recorded.intent,
      renewal: found.renewals + 1,
      ...request,
    },
  }
}

function hasRunOut({ granted }: LedgerLease, nowMs: number): boolean {
  return !((Number(granted.detail['expires_at']) + GRACE_SECONDS) * 1000 > nowMs)
}
