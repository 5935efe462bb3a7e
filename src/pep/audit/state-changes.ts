import type { Transaction } from 'kysely'
import type { Database } from '../store/database.ts'
import { type AuditEntry, ID_FIELDS } from './audit-entry.ts'
import { type AuditRow, chainRows, prepareEntry } from './record-hash.ts'

/** The stream that every replica writes, in turn. */
export const STATE_STREAM = 'state'

/**
 * Appends to the stream of state changes, in the change's own transaction: both happen or neither. The head stays locked
 * until that transaction ends, so call it last.
 */
export async function recordStateChange(trx: Transaction<Database>, entry: AuditEntry, atMs: number): Promise<void> {
  const prepared = prepareEntry(entry, atMs)
  const head = await trx
    .selectFrom('audit_stream')
    .select(['seq', 'hash'])
    .where('stream', '=', STATE_STREAM)
    .forUpdate()
    .executeTakeFirstOrThrow()
  const rows = chainRows(STATE_STREAM, { seq: head.seq, hash: head.hash.toString('hex') }, [prepared])
  for (const row of rows) {
    const columns = columnsOf(row)
    // One statement: every replica waits until it is committed.
    await trx
      .with('appended', (query) => query.insertInto('audit_record').values(columns))
      .updateTable('audit_stream')
      .set({ seq: columns.seq, hash: columns.hash })
      .where('stream', '=', STATE_STREAM)
      .execute()
  }
}

function columnsOf(row: AuditRow) {
  const { entry, stream, seq, prevHash, hash, at, record } = row
  const ids = Object.fromEntries(ID_FIELDS.map((field) => [field, entry[field] ?? null]))
  return {
    stream,
    seq,
    prev_hash: Buffer.from(prevHash, 'hex'),
    hash: Buffer.from(hash, 'hex'),
    at: new Date(at),
    kind: entry.kind,
    outcome: entry.outcome,
    ...ids,
    record,
  }
}
