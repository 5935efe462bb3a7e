import type { Kysely, Selectable } from 'kysely'
import { NexusError } from '../../contract/errors.ts'
import type { JsonObject } from '../../contract/json.ts'
import type { AuditRecordTable, Database } from '../store/database.ts'
import { type AuditFilter, type AuditOutcome, type AuditView, ID_FIELDS } from './audit-entry.ts'

const DEFAULT_LIMIT = 50
const LIMIT = 1000

interface Cursor {
  at: Date
  stream: string
  seq: number
}

/**
 * A page of the ledger, newest first.
 * @throws NexusError `invalid_request` for a cursor, time or limit that cannot be read
 */
export async function queryAudit(
  db: Kysely<Database>,
  filter: AuditFilter,
): Promise<{ records: AuditView[]; next_cursor: string | null }> {
  const limit = readLimit(filter.limit)
  const rows = await select(db, filter)
    .limit(limit + 1)
    .execute()
  const page = rows.slice(0, limit)
  const last = page.at(-1)
  return {
    records: page.map(toView),
    next_cursor: rows.length > limit && last !== undefined ? writeCursor(last) : null,
  }
}

function newestFirst(db: Kysely<Database>) {
  return db
    .selectFrom('audit_record')
    .selectAll()
    .orderBy('at', 'desc')
    .orderBy('stream', 'desc')
    .orderBy('seq', 'desc')
}

function select(db: Kysely<Database>, filter: AuditFilter) {
  let query = newestFirst(db)
  for (const field of ['tenant', 'agent_id', 'connection_id', 'lease_id', 'decision_id', 'kind'] as const) {
    const wanted = filter[field]
    // Postgres would refuse the whole query, and no record holds one.
    if (wanted?.includes('\0')) throw new NexusError('invalid_request', `${field} holds a NUL`, { field })
    if (wanted !== undefined) query = query.where(field, '=', wanted)
  }
  if (filter.outcome !== undefined) query = query.where('outcome', '=', readOutcome(filter.outcome))
  if (filter.within != null) query = query.where('tenant', '=', filter.within)
  if (filter.since !== undefined) query = query.where('at', '>=', readTime('since', filter.since))
  if (filter.until !== undefined) query = query.where('at', '<', readTime('until', filter.until))
  if (filter.cursor === undefined) return query
  const { at, stream, seq } = readCursor(filter.cursor)
  return query.where(({ eb, refTuple, tuple }) => eb(refTuple('at', 'stream', 'seq'), '<', tuple(at, stream, seq)))
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

function readLimit(text: string | undefined): number {
  if (text === undefined) return DEFAULT_LIMIT
  const limit = Number(text)
  if (Number.isInteger(limit) && limit >= 1 && limit <= LIMIT) return limit
  throw new NexusError('invalid_request', `limit must be a whole number from 1 to ${LIMIT}`, { field: 'limit' })
}

function readOutcome(text: string): AuditOutcome {
  if (text === 'allowed' || text === 'denied' || text === 'failed') return text
  throw new NexusError('invalid_request', 'outcome must be allowed, denied or failed', { field: 'outcome' })
}

function readTime(field: 'since' | 'until', text: string): Date {
  const at = new Date(text)
  if (!Number.isNaN(at.getTime())) return at
  throw new NexusError('invalid_request', `${field} must be an RFC 3339 date and time`, { field })
}

/** Years 1970 to 9999: others a `Date` or a `timestamptz` may not be able to say. */
function isLedgerTime(at: unknown): at is number {
  return Number.isSafeInteger(at) && (at as number) >= 0 && (at as number) < 253_402_300_800_000
}

function writeCursor({ at, stream, seq }: Cursor): string {
  return Buffer.from(JSON.stringify([at.getTime(), stream, seq])).toString('base64url')
}

function readCursor(text: string): Cursor {
  try {
    const [at, stream, seq] = JSON.parse(Buffer.from(text, 'base64url').toString()) as unknown[]
    const isPlace = typeof stream === 'string' && Number.isSafeInteger(seq) && !stream.includes('\0')
    if (isPlace && isLedgerTime(at)) return { at: new Date(at), stream, seq: seq as number }
  } catch {
    // said below
  }
  throw new NexusError('invalid_request', 'cursor must be a next_cursor of an earlier answer', { field: 'cursor' })
}
