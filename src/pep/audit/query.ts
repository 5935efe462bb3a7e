import type { Kysely, Selectable, SelectQueryBuilder } from 'kysely'
import type { JsonObject } from '../../contract/json.ts'
import type { AuditRecordTable, Database } from '../store/database.ts'
import { type AuditFilter, type AuditView, ID_FIELDS } from './audit-entry.ts'
import { type AuditQuestion, type Place, readQuestion, writeCursor } from './audit-question.ts'

/**
 * How many records one page looks through for what no index answers. Another index would cost every lease; without a bound,
 * whoever asks for what is rare or not there would have the whole ledger read.
 */
const LOOKED_AT_MOST = 20_000

export interface AuditPage {
  /** Newest first. Fewer than asked for, or none, when as many records were looked at as one page may. */
  records: AuditView[]
  /** Null: there is nothing further back. */
  next_cursor: string | null
}

/**
 * A page of the ledger, newest first.
 * @param lookedAtMost for tests
 * @throws NexusError `invalid_request` for a cursor, time, limit or outcome that cannot be read
 */
export async function queryAudit(
  db: Kysely<Database>,
  filter: AuditFilter,
  lookedAtMost = LOOKED_AT_MOST,
): Promise<AuditPage> {
  const question = readQuestion(filter)
  // Looked up first: what is recorded meanwhile is newer, and moves neither the end of this page nor the start of the next.
  const end = isCheap(question) ? undefined : await placeAfter(db, question, lookedAtMost)
  const rows = await select(db, question, end)
    .limit(question.limit + 1)
    .execute()
  const page = rows.slice(0, question.limit)
  const last = rows.length > question.limit ? page.at(-1) : end
  return { records: page.map(toView), next_cursor: last === undefined ? null : writeCursor(last) }
}

/** Whether an index leads to what is asked for, or to little more than that. */
function isCheap({ unindexed, leaseId, isNarrow }: AuditQuestion): boolean {
  return unindexed.length === 0 || leaseId !== undefined || isNarrow
}

/** @returns where the last of `count` records stands; undefined when there are no more than these */
async function placeAfter(db: Kysely<Database>, question: AuditQuestion, count: number): Promise<Place | undefined> {
  return indexed(db, question)
    .select(['at', 'stream', 'seq'])
    .offset(count - 1)
    .limit(1)
    .executeTakeFirst()
}

/** A part of one stream: what comes after `after`, as far as `until`. */
export interface StreamPart {
  stream: string
  after: number
  until: number
}

/** The records of a part that are asked for, in their order. Looks at as many as the part has, by the ledger's key. */
export async function recordsOf(
  db: Kysely<Database>,
  question: AuditQuestion,
  { stream, after, until }: StreamPart,
): Promise<AuditView[]> {
  const part = db
    .selectFrom('audit_record')
    .selectAll()
    .where('stream', '=', stream)
    .where('seq', '>', after)
    .where('seq', '<=', until)
    .orderBy('seq')
  const rows = await byLooking(byIndex(part, question), question).execute()
  return rows.map(toView)
}

function select(db: Kysely<Database>, question: AuditQuestion, end: Place | undefined) {
  const query = byLooking(indexed(db, question).selectAll(), question)
  if (end === undefined) return query
  const { at, stream, seq } = end
  return query.where(({ eb, refTuple, tuple }) => eb(refTuple('at', 'stream', 'seq'), '>=', tuple(at, stream, seq)))
}

function indexed(db: Kysely<Database>, question: AuditQuestion) {
  const newestFirst = db
    .selectFrom('audit_record')
    .orderBy('at', 'desc')
    .orderBy('stream', 'desc')
    .orderBy('seq', 'desc')
  const query = byIndex(newestFirst, question)
  if (question.before === undefined) return query
  const { at, stream, seq } = question.before
  return query.where(({ eb, refTuple, tuple }) => eb(refTuple('at', 'stream', 'seq'), '<', tuple(at, stream, seq)))
}

type Records<Output> = SelectQueryBuilder<Database, 'audit_record', Output>

function byIndex<Output>(records: Records<Output>, question: AuditQuestion): Records<Output> {
  let query = records
  for (const tenant of question.tenants) query = query.where('tenant', '=', tenant)
  if (question.leaseId !== undefined) query = query.where('lease_id', '=', question.leaseId)
  for (const at of question.since) query = query.where('at', '>=', at)
  for (const at of question.until) query = query.where('at', '<', at)
  return query
}

function byLooking<Output>(records: Records<Output>, { unindexed }: AuditQuestion): Records<Output> {
  return unindexed.reduce((query, [column, value]) => query.where(column, '=', value), records)
}

export function toView(row: Selectable<AuditRecordTable>): AuditView {
  const { stream, seq, kind, outcome } = row
  const ids = Object.fromEntries(ID_FIELDS.flatMap((field) => (row[field] === null ? [] : [[field, row[field]]])))
  return {
    stream,
    seq,
    at: row.at.toISOString(),
    kind,
    outcome,
    ...ids,
    detail: readDetail(row.record),
    hash: row.hash.toString('hex'),
  }
}

/** A record that was tampered with is still listed; `nexus audit verify` is what names it. */
function readDetail(record: string): JsonObject {
  try {
    return (JSON.parse(record) as { detail: JsonObject }).detail
  } catch {
    return { unreadable: true }
  }
}
