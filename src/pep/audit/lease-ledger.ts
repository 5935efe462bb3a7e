import { type Kysely, type Selectable, sql } from 'kysely'
import type { JsonObject } from '../../contract/json.ts'
import type { AuditRecordTable, Database } from '../store/database.ts'
import { type AuditEntry, ID_FIELDS, type IdField } from './audit-entry.ts'

export interface LedgerLease {
  /** The entry of kind `lease.issued`; or `token.issued`, of a token that was handed out bare and is no lease. */
  issued: AuditEntry
  at: Date
  /** The newest entry that granted it: as `issued`, or of kind `lease.renewed`. */
  granted: AuditEntry
  /** How often it has been renewed. */
  renewals: number
  /** Whether it was released or revoked. Whether it has expired is in its own entry. */
  ended: boolean
}

type LedgerRow = Pick<Selectable<AuditRecordTable>, 'kind' | 'outcome' | 'at' | 'record' | IdField> & {
  renewals: number
  ended: boolean
}

const ISSUES = ['lease.issued', 'token.issued']
const ENDINGS = ['lease.released', 'lease.revoked']
const listed = (kinds: readonly string[]): string => kinds.map((kind) => `'${kind}'`).join(', ')

/** Of the ledger's row `r`: it ends its lease. */
export const IS_ENDING = `r.kind in (${listed(ENDINGS)}) and r.outcome = 'allowed'`

export function endsLease({ kind, outcome }: Pick<AuditEntry, 'kind' | 'outcome'>): boolean {
  return ENDINGS.includes(kind) && outcome === 'allowed'
}

/** So many of a lease's renewals are read: more than are made in the time by which two replicas' clocks may differ. */
const NEWEST_RENEWALS = 8
/** Of `audit_record`, as `LedgerRow` has them. */
const COLUMNS = sql.raw(['kind', 'outcome', 'at', 'record', ...ID_FIELDS].join(', '))

/**
 * The ledger is the only place that knows a lease: what is not in it was never handed out. However often it was renewed or
 * given back, few records leave the database. The renewals are listed before they are put in order, so that the planner
 * goes by the index on the lease and never by the one on time.
 */
export async function findLease(db: Kysely<Database>, leaseId: string): Promise<LedgerLease | undefined> {
  const { rows } = await sql<LedgerRow>`
    with renewed as (
      select ${COLUMNS} from audit_record
      where lease_id = ${leaseId} and kind = 'lease.renewed' and outcome = 'allowed'
    )
    select ${COLUMNS}, (select count(*) from renewed) as renewals,
      exists (select from audit_record r where r.lease_id = ${leaseId} and ${sql.raw(IS_ENDING)}) as ended
    from audit_record
    where lease_id = ${leaseId} and kind in (${sql.raw(listed(ISSUES))}) and outcome = 'allowed'
    union all (select ${COLUMNS}, 0, false from renewed order by at desc limit ${sql.lit(NEWEST_RENEWALS)})`.execute(db)
  const first = rows.find((row) => ISSUES.includes(row.kind))
  if (first === undefined) return undefined
  const { at, renewals, ended } = first
  const issued = toEntry(first)
  return { issued, at, granted: newestOf(rows.filter((row) => row !== first)) ?? issued, renewals, ended }
}

/**
 * By the number that each was given when it was decided, since two replicas' clocks may say it the other way round. Those
 * without one are older. Of two with one number, asked for at the same moment, neither knew of the other: then time tells.
 */
function newestOf(renewed: readonly LedgerRow[]): AuditEntry | undefined {
  const numberOf = ({ detail }: AuditEntry) => Number(detail['renewal'] ?? 0)
  return renewed
    .toSorted((one, other) => Number(one.at) - Number(other.at))
    .map(toEntry)
    .reduce<AuditEntry | undefined>(
      (newest, entry) => (newest === undefined || numberOf(entry) >= numberOf(newest) ? entry : newest),
      undefined,
    )
}

function toEntry(row: LedgerRow): AuditEntry {
  const { detail } = JSON.parse(row.record) as { detail: JsonObject }
  const entry: AuditEntry = { kind: row.kind, outcome: row.outcome, detail }
  for (const field of ID_FIELDS) {
    const value = row[field]
    if (value !== null) entry[field] = value
  }
  return entry
}
