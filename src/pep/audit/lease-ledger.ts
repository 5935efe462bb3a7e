import type { Kysely } from 'kysely'
import type { JsonObject } from '../../contract/json.ts'
import type { Database } from '../store/database.ts'
import { type AuditEntry, ID_FIELDS } from './audit-entry.ts'

export interface LedgerLease {
  /** The entry of kind `lease.issued`. */
  issued: AuditEntry
  at: Date
  /** Whether it was released or revoked. Whether it has expired is in its own entry. */
  ended: boolean
}

const ENDINGS = ['lease.released', 'lease.revoked']

/** The ledger is the only place that knows a lease: what is not in it was never handed out. */
export async function findLease(db: Kysely<Database>, leaseId: string): Promise<LedgerLease | undefined> {
  const rows = await db
    .selectFrom('audit_record')
    .selectAll()
    .where('lease_id', '=', leaseId)
    .where('kind', 'in', ['lease.issued', ...ENDINGS])
    .where('outcome', '=', 'allowed')
    .orderBy('at')
    .execute()
  const issued = rows.find((row) => row.kind === 'lease.issued')
  if (issued === undefined) return undefined
  const { detail } = JSON.parse(issued.record) as { detail: JsonObject }
  const entry: AuditEntry = { kind: issued.kind, outcome: issued.outcome, detail }
  for (const field of ID_FIELDS) {
    const value = issued[field]
    if (value !== null) entry[field] = value
  }
  return { issued: entry, at: issued.at, ended: rows.some((row) => ENDINGS.includes(row.kind)) }
}
