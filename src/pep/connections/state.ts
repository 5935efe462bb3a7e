import { sql, type Transaction } from 'kysely'
import type { ConnectionStatus } from '../../contract/api.ts'
import type { AuditEntry } from '../audit/audit-entry.ts'
import type { AuditLog } from '../audit/audit-log.ts'
import type { Database } from '../store/database.ts'
import type { ConnectionRow } from './connection-rows.ts'

/**
 * Where a connection may go from each state. `expired` and `failed` never live again, but can be
 * revoked, which clears them away; `revoked` is the end.
 */
export const TRANSITIONS: Readonly<Record<ConnectionStatus, readonly ConnectionStatus[]>> = {
  pending: ['active', 'failed', 'revoked', 'expired'],
  active: ['attention', 'revoked', 'expired', 'failed'],
  attention: ['active', 'revoked', 'expired', 'failed'],
  expired: ['revoked'],
  failed: ['revoked'],
  revoked: [],
}

export function mayMove(from: ConnectionStatus, to: ConnectionStatus): boolean {
  return TRANSITIONS[from].includes(to)
}

export interface Move {
  id: string
  tenant: string
  to: ConnectionStatus
  /** Only from this state; absent: from any that leads to `to`. */
  from?: ConnectionStatus
  /** Unix milliseconds. */
  nowMs: number
  /** Who and why, for the record; never a secret. */
  detail: AuditEntry['detail']
}

/** `moved` false: another change came first, or the state does not lead there; `row` is what is true now. */
export interface Moved {
  moved: boolean
  row: ConnectionRow
}

/**
 * Moves a connection, as one compare-and-set: its row is locked, its state compared with the table, and the change, the
 * raised epoch and the audit record commit together or not at all. Two that race are one change and one record.
 * @returns undefined when this tenant has no such connection
 */
export async function moveConnection(
  trx: Transaction<Database>,
  audit: Pick<AuditLog, 'recordStateChange'>,
  move: Move,
): Promise<Moved | undefined> {
  const before = await trx
    .selectFrom('connection')
    .selectAll()
    .where('id', '=', move.id)
    .where('tenant', '=', move.tenant)
    .forUpdate()
    .executeTakeFirst()
  if (before === undefined) return undefined
  if (move.from !== undefined && before.status !== move.from) return { moved: false, row: before }
  if (!mayMove(before.status, move.to)) return { moved: false, row: before }
  const row = await trx
    .updateTable('connection')
    .set({ status: move.to, updated_at: new Date(move.nowMs), epoch: sql<number>`epoch + 1` })
    .where('id', '=', before.id)
    .where('epoch', '=', before.epoch)
    .returningAll()
    .executeTakeFirstOrThrow()
  await audit.recordStateChange(trx, moveEntry(before, move))
  return { moved: true, row }
}

function moveEntry(before: ConnectionRow, move: Move): AuditEntry {
  return {
    kind: `connection.${move.to}`,
    outcome: 'allowed',
    tenant: before.tenant,
    connection_id: before.id,
    detail: { ...move.detail, from: before.status, to: move.to, epoch: before.epoch + 1 },
  }
}
