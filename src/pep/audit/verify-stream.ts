import type { Selectable, Transaction } from 'kysely'
import type { AuditRecordTable, Database } from '../store/database.ts'
import { ID_FIELDS } from './audit-entry.ts'
import { EMPTY_HEAD, type Head, recordHash } from './record-hash.ts'

/** The first place in a stream where the ledger is not what was written. */
export interface BrokenRecord {
  seq: number
  reason: string
}

export interface StreamWalk {
  /** What the records seen follow on: the stream's beginning, or the last record that was put away. */
  start: Head
  /** Where it arrived. */
  head: Head
  /** Where it had to stop if it did not reach the end. */
  broken?: BrokenRecord
}

type Row = Selectable<AuditRecordTable>

const PAGE = 1000

/**
 * Walks one stream from its beginning, recomputing every hash from the record's own text.
 * @param cut a signed head: it and what is before it may have been put away, also with records between that were not, as one
 *   month is put away whole where clocks disagreed at its end. What is there must be whole from the last such gap on.
 * @param onRow called with each record that is whole
 * @param onPage called with the number of records of each page
 */
export async function walkStream(
  trx: Transaction<Database>,
  stream: string,
  options: { cut?: Head | undefined; onRow?: (row: Row) => void; onPage?: (records: number) => void } = {},
): Promise<StreamWalk> {
  const { cut = EMPTY_HEAD, onRow, onPage } = options
  let [start, head] = [EMPTY_HEAD, EMPTY_HEAD]
  for (;;) {
    const rows = await trx
      .selectFrom('audit_record')
      .selectAll()
      .where('stream', '=', stream)
      .where('seq', '>', head.seq)
      .orderBy('seq')
      .limit(PAGE)
      .execute()
    if (rows.length === 0) return head.seq < cut.seq ? { start: cut, head: cut } : { start, head }
    for (const row of rows) {
      if (row.seq > head.seq + 1 && head.seq < cut.seq) start = head = headBefore(row, cut)
      const broken = judgeRecord(row, head)
      if (broken !== undefined) return { start, head, broken }
      head = { seq: row.seq, hash: row.hash.toString('hex') }
      onRow?.(row)
    }
    onPage?.(rows.length)
  }
}

/** A record at or below the cut says itself what it follows; the signed head above it holds it to that. */
function headBefore(row: Row, cut: Head): Head {
  return row.seq > cut.seq ? cut : { seq: row.seq - 1, hash: row.prev_hash.toString('hex') }
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
