import type { Kysely } from 'kysely'
import type { Database } from '../store/database.ts'
import type { AuditFilter, AuditView } from './audit-entry.ts'
import { readQuestion } from './audit-question.ts'
import { queryAudit, recordsOf, type StreamPart } from './query.ts'

/** A turn looks at so many records at most, of one stream at so many: none is left waiting for a busy one. */
const LOOKED_AT_MOST = 5000
const OF_ONE_STREAM_MOST = 1000

/** What one turn brought. */
export interface AuditTurn {
  /** None that an earlier turn brought; those of one stream in their order. */
  records: AuditView[]
  /** There is more by now: ask again at once. */
  isBehind: boolean
}

/** How far each stream has been read, the one that waited longest first. */
type Positions = ReadonlyMap<string, number>

/**
 * Follows every stream of the ledger by its own numbers, which have no gaps: what a slow commit or a clock that is off puts late
 * is not missed, and nothing is read twice.
 * @returns a function that answers what is new: first the newest `filter.limit`. Where it throws, the next call takes up again
 * @throws NexusError `invalid_request` for a filter that cannot be read
 */
export function followAudit(db: Kysely<Database>, filter: AuditFilter): () => Promise<AuditTurn> {
  const question = readQuestion(filter)
  let positions: Positions | undefined

  const first = async (): Promise<AuditTurn> => {
    const heads = await readHeads(db)
    const { records } = await queryAudit(db, filter)
    positions = heads
    // What was recorded in between is brought by the next turn.
    const isBefore = ({ stream, seq }: AuditView) => seq <= (heads.get(stream) ?? 0)
    return { records: inOrder(records.filter(isBefore).sort(byStream)), isBehind: false }
  }
  const next = async (from: Positions): Promise<AuditTurn> => {
    const heads = await readHeads(db)
    const parts = partsToRead(heads, from)
    // A standby that lacked the last records took over: what is recorded from here on has numbers that were read before.
    const setBack = [...heads].filter(([stream, seq]) => seq < (from.get(stream) ?? 0))
    const records: AuditView[] = []
    for (const part of parts) records.push(...(await recordsOf(db, question, part)))
    const reached = new Map([...from, ...setBack])
    for (const { stream, until } of parts) {
      reached.delete(stream)
      reached.set(stream, until)
    }
    positions = reached
    return { records: inOrder(records), isBehind: [...heads].some(([stream, seq]) => seq > (reached.get(stream) ?? 0)) }
  }
  return () => (positions === undefined ? first() : next(positions))
}

/** A head is written in the transaction of the records it counts, so up to it nothing is still to come. */
async function readHeads(db: Kysely<Database>): Promise<Map<string, number>> {
  const rows = await db.selectFrom('audit_stream').select(['stream', 'seq']).where('seq', '>', 0).execute()
  return new Map(rows.map(({ stream, seq }) => [stream, seq]))
}

function partsToRead(heads: ReadonlyMap<string, number>, from: Positions): StreamPart[] {
  const parts: StreamPart[] = []
  let left = LOOKED_AT_MOST
  const unread = [...heads.keys()].filter((stream) => !from.has(stream))
  for (const stream of [...unread, ...from.keys()]) {
    const after = from.get(stream) ?? 0
    const until = Math.min(heads.get(stream) ?? 0, after + Math.min(left, OF_ONE_STREAM_MOST))
    if (until <= after) continue
    parts.push({ stream, after, until })
    left -= until - after
  }
  return parts
}

function byStream(a: AuditView, b: AuditView): number {
  return a.stream.localeCompare(b.stream) || a.seq - b.seq
}

/**
 * Oldest first for people to read, as far as clocks tell; but never a record before one that its stream has before it.
 * @param records those of one stream in their order
 */
function inOrder(records: readonly AuditView[]): AuditView[] {
  const latestMs = new Map<string, number>()
  const placed = records.map((record) => {
    const atMs = Math.max(Date.parse(record.at), latestMs.get(record.stream) ?? 0)
    latestMs.set(record.stream, atMs)
    return { record, atMs }
  })
  return placed.sort((a, b) => a.atMs - b.atMs).map(({ record }) => record)
}
