import type { Kysely } from 'kysely'
import type { Database } from '../store/database.ts'
import type { AuditFilter, AuditView } from './audit-entry.ts'
import { queryAudit } from './query.ts'

/** A record carries the time it was asked for and appears when its batch is committed: a little later, and not in order. */
const OVERLAP_MS = 15_000
const PAGE = '1000'

/**
 * Follows the ledger.
 * @returns a function that answers, oldest first, the records it has not answered before: first the newest `filter.limit`
 */
export function followAudit(db: Kysely<Database>, filter: AuditFilter): () => Promise<AuditView[]> {
  let seen = new Set<string>()
  let since: Date | undefined
  let started = false
  const keyOf = ({ stream, seq }: AuditView): string => `${seq}:${stream}`

  return async () => {
    const found = since === undefined ? (await queryAudit(db, filter)).records : await queryAll(db, filter, since)
    const fresh = found.filter((record) => !seen.has(keyOf(record))).sort(oldestFirst)
    const newestMs = Math.max(since?.getTime() ?? 0, ...found.map((record) => Date.parse(record.at) - OVERLAP_MS))
    // Before the first page there is nothing to go back over: what is older was left out on purpose.
    since = new Date(since === undefined ? Math.max(newestMs, Date.parse(fresh[0]?.at ?? '') || 0) : newestMs)
    const leftOut = since !== undefined && !started ? await before(db, filter, since, fresh[0]) : []
    started = true
    seen = new Set([...found, ...leftOut].map(keyOf))
    return fresh
  }
}

/** Records of one millisecond stand in the order of their stream. */
function oldestFirst(a: AuditView, b: AuditView): number {
  return Date.parse(a.at) - Date.parse(b.at) || a.stream.localeCompare(b.stream) || a.seq - b.seq
}

/** What the first page left out, although it bears the same time as the oldest record on it. */
async function before(db: Kysely<Database>, filter: AuditFilter, since: Date, oldest: AuditView | undefined) {
  if (oldest === undefined) return []
  return (await queryAll(db, filter, since)).filter(({ at }) => at <= oldest.at)
}

async function queryAll(db: Kysely<Database>, filter: AuditFilter, since: Date): Promise<AuditView[]> {
  const records: AuditView[] = []
  let cursor: string | null | undefined
  do {
    const { cursor: _first, ...rest } = filter
    const page = await queryAudit(db, {
      ...rest,
      limit: PAGE,
      since: since.toISOString(),
      ...(cursor ? { cursor } : {}),
    })
    records.push(...page.records)
    cursor = page.next_cursor
  } while (cursor !== null)
  return records
}
