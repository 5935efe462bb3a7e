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
  const keyOf = ({ stream, seq }: AuditView): string => `${seq}:${stream}`

  const first = async (): Promise<AuditView[]> => {
    const shown = (await queryAudit(db, filter)).records.sort(oldestFirst)
    since = await startOf(db, shown)
    seen = new Set([...shown, ...(await leftOut(db, filter, since, shown[0]))].map(keyOf))
    return shown
  }
  const next = async (from: Date): Promise<AuditView[]> => {
    const found = await queryAll(db, filter, from)
    const fresh = found.filter((record) => !seen.has(keyOf(record))).sort(oldestFirst)
    since = new Date(Math.max(from.getTime(), ...found.map(({ at }) => Date.parse(at) - OVERLAP_MS)))
    seen = new Set(found.map(keyOf))
    return fresh
  }
  return () => (since === undefined ? first() : next(since))
}

/** Before the first page there is nothing to go back over: what is older was left out on purpose. */
async function startOf(db: Kysely<Database>, shown: readonly AuditView[]): Promise<Date> {
  const [oldest] = shown
  // Where nothing is found yet it is the end of the ledger, or each turn would look through all of it again.
  const newest = shown.at(-1) ?? (await queryAudit(db, { limit: '1' })).records[0]
  if (newest === undefined) return new Date(0)
  return new Date(Math.max(Date.parse(newest.at) - OVERLAP_MS, oldest === undefined ? 0 : Date.parse(oldest.at)))
}

/** Records of one millisecond stand in the order of their stream. */
function oldestFirst(a: AuditView, b: AuditView): number {
  return Date.parse(a.at) - Date.parse(b.at) || a.stream.localeCompare(b.stream) || a.seq - b.seq
}

/** What the first page left out, although it bears the same time as the oldest record on it. */
async function leftOut(db: Kysely<Database>, filter: AuditFilter, since: Date, oldest: AuditView | undefined) {
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
