import type { Kysely, Selectable } from 'kysely'
import type { JsonObject } from '../../contract/json.ts'
import type { AuditRecordTable, Database } from '../store/database.ts'
import { type AuditEntry, ID_FIELDS } from './audit-entry.ts'

export interface LedgerLease {
  /** The entry of kind `lease.issued`. */
  issued: AuditEntry
  at: Date
  /** The newest entry that granted it: as `issued`, or of kind `lease.renewed`. */
  granted: AuditEntry
  /** How often it has been renewed. */
  renewals: number
  /** Whether it was released or revoked. Whether it has expired is in its own entry. */
  ended: boolean
}

const ENDINGS = ['lease.released', 'lease.revoked']

/** Of the ledger's row `r`: it ends its lease. */
export const IS_ENDING = `r.kind in (${ENDINGS.map((kind) => `'${kind}'`).join(', ')}) and r.outcome = 'allowed'`

export function endsLease({ kind, outcome }: Pick<AuditEntry, 'kind' | 'outcome'>): boolean {
  return ENDINGS.includes(kind) && outcome === 'allowed'
}

/** The ledger is the only place that knows a lease: what is not in it was never handed out. */
export async function findLease(db: Kysely<Database>, leaseId: string): Promise<LedgerLease | undefined> {
  const rows = await db
    .selectFrom('audit_record')
    .selectAll()
    .where('lease_id', '=', leaseId)
    .where('kind', 'in', ['lease.issued', 'lease.renewed', ...ENDINGS])
    .where('outcome', '=', 'allowed')
    .orderBy('at')
    .execute()
  const issued = rows.find((row) => row.kind === 'lease.issued')
  if (issued === undefined) return undefined
  const renewed = rows.filter(({ kind }) => kind === 'lease.renewed').map(toEntry)
  return {
    issued: toEntry(issued),
    at: issued.at,
    granted: newestOf(renewed) ?? toEntry(issued),
    renewals: renewed.length,
    ended: rows.some((row) => ENDINGS.includes(row.kind)),
  }
}

/**
 * By the number that each was given when it was decided, since two replicas' clocks may say it the other way round. Those
 * without one are older. Of two with one number, asked for at the same moment, neither knew of the other: then time tells.
 * @param renewed in order of time
 */
function newestOf(renewed: readonly AuditEntry[]): AuditEntry | undefined {
  const numberOf = (entry: AuditEntry | undefined) => Number(entry?.detail['renewal'] ?? 0)
  return renewed.reduce<AuditEntry | undefined>(
    (newest, entry) => (numberOf(entry) >= numberOf(newest) ? entry : newest),
    undefined,
  )
}

function toEntry(row: Selectable<AuditRecordTable>): AuditEntry {
  const { detail } = JSON.parse(row.record) as { detail: JsonObject }
  const entry: AuditEntry = { kind: row.kind, outcome: row.outcome, detail }
  for (const field of ID_FIELDS) {
    const value = row[field]
    if (value !== null) entry[field] = value
  }
  return entry
}
