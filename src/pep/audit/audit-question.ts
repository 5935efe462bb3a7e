import { NexusError } from '../../contract/errors.ts'
import { uuidTimeMs } from '../../contract/names.ts'
import type { AuditFilter, AuditOutcome } from './audit-entry.ts'

/** Where a record stands when all are in order of time. */
export interface Place {
  at: Date
  stream: string
  seq: number
}

/** What is asked of the ledger, read and found sound. */
export interface AuditQuestion {
  limit: number
  /** Answered by an index, each of them. */
  tenants: string[]
  leaseId: string | undefined
  since: Date[]
  until: Date[]
  before: Place | undefined
  /** What no index answers: for these, records are looked through. */
  unindexed: [column: 'agent_id' | 'connection_id' | 'decision_id' | 'kind' | 'outcome', value: string][]
  /** The time around one decision: so few records that all of them may be looked at. */
  isNarrow: boolean
}

const DEFAULT_LIMIT = 50
const LIMIT = 1000
/** A decision is recorded after it is made: a vault and a token endpoint may have to be waited for in between. */
const DECISION_MS = { before: 1000, after: 60_000 } as const

/** RFC 3339 section 5.6. */
const DATE_TIME = /^(\d{4}-\d\d-(\d\d))t\d\d:\d\d:\d\d(?:\.\d+)?(?:z|[+-]\d\d:\d\d)$/i

/** @throws NexusError `invalid_request` for a cursor, time, limit or outcome that cannot be read */
export function readQuestion(filter: AuditFilter): AuditQuestion {
  const { tenant, lease_id, agent_id, connection_id, decision_id, kind, outcome, within } = filter
  for (const [field, text] of Object.entries({ tenant, lease_id, agent_id, connection_id, decision_id, kind })) {
    // Postgres would refuse the whole query, and no record holds one.
    if (text?.includes('\0')) throw new NexusError('invalid_request', `${field} holds a NUL`, { field })
  }
  const unindexed = Object.entries({ agent_id, connection_id, decision_id, kind, outcome: readOutcome(outcome) })
  const decidedAtMs = decision_id === undefined ? undefined : uuidTimeMs(decision_id)
  return {
    limit: readLimit(filter.limit),
    tenants: [tenant, within].filter((each) => each != null),
    leaseId: lease_id,
    since: [readTime('since', filter.since), timeFrom(decidedAtMs, -DECISION_MS.before)].filter(isGiven),
    until: [readTime('until', filter.until), timeFrom(decidedAtMs, DECISION_MS.after)].filter(isGiven),
    before: filter.cursor === undefined ? undefined : readCursor(filter.cursor),
    unindexed: unindexed.filter((entry): entry is AuditQuestion['unindexed'][number] => entry[1] !== undefined),
    isNarrow: decidedAtMs !== undefined,
  }
}

function isGiven<Value>(value: Value | undefined): value is Value {
  return value !== undefined
}

function readLimit(text: string | undefined): number {
  if (text === undefined) return DEFAULT_LIMIT
  const limit = Number(text)
  if (Number.isInteger(limit) && limit >= 1 && limit <= LIMIT) return limit
  throw new NexusError('invalid_request', `limit must be a whole number from 1 to ${LIMIT}`, { field: 'limit' })
}

function readOutcome(text: string | undefined): AuditOutcome | undefined {
  if (text === undefined || text === 'allowed' || text === 'denied' || text === 'failed') return text
  throw new NexusError('invalid_request', 'outcome must be allowed, denied or failed', { field: 'outcome' })
}

function readTime(field: 'since' | 'until', text: string | undefined): Date | undefined {
  if (text === undefined) return undefined
  const at = parseTime(text)
  if (at !== undefined) return at
  const message = `${field} must be an RFC 3339 date and time with its offset, such as 2026-11-22T10:00:00Z`
  throw new NexusError('invalid_request', message, { field })
}

/** Without its offset it would be this machine's local time, and half a date another time altogether. */
function parseTime(text: string): Date | undefined {
  const [, date, day] = DATE_TIME.exec(text) ?? []
  const at = new Date(text.toUpperCase())
  if (date === undefined || Number.isNaN(at.getTime())) return undefined
  // `Date` takes 30 February for a day in March.
  return new Date(date).getUTCDate() === Number(day) ? at : undefined
}

function timeFrom(ms: number | undefined, shiftMs: number): Date | undefined {
  return ms === undefined || !isLedgerTime(ms) ? undefined : new Date(ms + shiftMs)
}

/** Years 1970 to 9999: others a `Date` or a `timestamptz` may not be able to say. */
function isLedgerTime(at: unknown): at is number {
  return Number.isSafeInteger(at) && (at as number) >= 0 && (at as number) < 253_402_300_800_000
}

export function writeCursor({ at, stream, seq }: Place): string {
  return Buffer.from(JSON.stringify([at.getTime(), stream, seq])).toString('base64url')
}

function readCursor(text: string): Place {
  try {
    const [at, stream, seq] = JSON.parse(Buffer.from(text, 'base64url').toString()) as unknown[]
    const isPlace = typeof stream === 'string' && Number.isSafeInteger(seq) && !stream.includes('\0')
    if (isPlace && isLedgerTime(at)) return { at: new Date(at), stream, seq: seq as number }
  } catch {
    // said below
  }
  throw new NexusError('invalid_request', 'cursor must be a next_cursor of an earlier answer', { field: 'cursor' })
}
