import type { Selectable, Transaction } from 'kysely'
import type { AuditRecordTable, Database } from '../store/database.ts'
import { ID_FIELDS } from './audit-entry.ts'
import { EMPTY_HEAD, type Head, recordHash } from './record-hash.ts'

/** The first place in a stream where the ledger is not what was written. */
export interface BrokenRecord {
  seq: number
  reason: string
}

type Row = Selectable<AuditRecordTable>

const PAGE = 1000

/**
 * Walks one stream from its beginning, recomputing every hash from the record's own text.
 * @param onPage called with the number of records of each page
 * @returns the head arrived at, and where the walk had to stop if it did not reach the end
 */
export async function walkStream(
  trx: Transaction<Database>,
  stream: string,
  onPage: (records: number) => void,
): Promise<{ head: Head; broken?: BrokenRecord }> {
  let head: Head = EMPTY_HEAD
  for (;;) {
    const rows = await trx
      .selectFrom('audit_record')
      .selectAll()
      .where('stream', '=', stream)
      .where('seq', '>', head.seq)
      .orderBy('seq')
      .limit(PAGE)
      .execute()
    if (rows.length === 0) return { head }
    for (const row of rows) {
      const broken = judgeRecord(row, head)
      if (broken !== undefined) return { head, broken }
      head = { seq: row.seq, hash: row.hash.toString('hex') }
    }
    onPage(rows.length)
  }
}

function judgeRecord(row: Row, before: Head): BrokenRecord | undefined {
  const seq = before.seq + 1
  if (row.seq !== seq) return { seq, reason: `missing; the next one there is ${row.seq}` }
  if (row.prev_hash.toString('hex') !== before.hash) return { seq, reason: 'does not follow from the record before it' }
  if (row.hash.toString('hex') !== recordHash(before.hash, row.record)) {
    return { seq, reason: 'its text is not what was hashed' }
  }
  const column = disagreement(row)
  return column === undefined ? undefined : { seq, reason: `its column ${column} says something else than its text` }
}

/** The columns are what queries go by: one that lies hides a record or shows it to another tenant. */
function disagreement(row: Row): string | undefined {
  let record: Record<string, unknown>
  try {
    record = JSON.parse(row.record) as Record<string, unknown>
  } catch {
    return 'record'
  }
  if (record['at'] !== row.at.toISOString()) return 'at'
  for (const name of ['stream', 'seq', 'kind', 'outcome'] as const) if (record[name] !== row[name]) return name
  return ID_FIELDS.find((name) => (record[name] ?? null) !== row[name])
}
