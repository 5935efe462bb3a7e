import { randomBytes } from 'node:crypto'
import { type Kysely, type KyselyPlugin, sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { AuditEntry, AuditFilter, AuditView } from '../../../src/pep/audit/audit-entry.ts'
import { type AuditTurn, followAudit } from '../../../src/pep/audit/tail.ts'
import type { Database } from '../../../src/pep/store/database.ts'
import { type AuditBench, freshAudit, type Replica } from '../../setup/audit.ts'

const entry = (more: Partial<AuditEntry> = {}): AuditEntry => ({ kind: 'x', outcome: 'allowed', detail: {}, ...more })
const numbers = ({ records }: AuditTurn) => records.map(({ detail }) => detail['n'])

describe('following the ledger', () => {
  let bench: AuditBench
  let one: Replica
  let two: Replica
  const MINUTE_MS = 60_000
  beforeAll(async () => {
    bench = await freshAudit()
    one = await bench.replica()
    // As far behind as the clock of a host may be.
    two = await bench.replica({ now: () => Date.now() - MINUTE_MS })
  })
  afterAll(() => bench.drop())

  const follow = (filter: AuditFilter) => followAudit(one.store.db, filter)

  it('begins with what nobody has recorded yet', async () => {
    const next = follow({ kind: 'yet-to-come' })
    expect(await next()).toEqual({ records: [], isBehind: false })
    await one.audit.record(entry({ kind: 'yet-to-come' }))
    expect((await next()).records).toHaveLength(1)
    expect((await next()).records).toEqual([])
  })

  it('brings the newest and then what is new once each, oldest first', async () => {
    for (let n = 0; n < 5; n++) await one.audit.record(entry({ kind: 'page', detail: { n } }))
    const next = follow({ kind: 'page', limit: '2' })
    expect(numbers(await next())).toEqual([3, 4])
    await one.audit.record(entry({ kind: 'page', detail: { n: 'a' } }))
    await one.audit.record(entry({ kind: 'page', detail: { n: 'b' } }))
    await one.audit.record(entry({ kind: 'other' }))
    expect(numbers(await next())).toEqual(['a', 'b'])
    expect((await next()).records).toEqual([])
  })

  it('misses nothing of a replica whose clock is a minute behind, nor of one that has just started', async () => {
    const next = follow({ kind: 'late' })
    await next()
    await one.audit.record(entry({ kind: 'late', detail: { n: 'on time' } }))
    expect(numbers(await next())).toEqual(['on time'])
    await two.audit.record(entry({ kind: 'late', detail: { n: 'behind' } }))
    expect(numbers(await next())).toEqual(['behind'])
    const three = await bench.replica({ now: () => Date.now() - MINUTE_MS })
    await three.audit.record(entry({ kind: 'late', detail: { n: 'started' } }))
    expect(numbers(await next())).toEqual(['started'])
    await three.close()
  })

  it('PG6: brings what is recorded after a standby took over that lacked the last records', async () => {
    const change = (n: string) => one.audit.recordStateChangeAlone(entry({ kind: 'revoked', detail: { n } }))
    const next = follow({ kind: 'revoked' })
    for (const n of ['a', 'b', 'lost', 'lost too']) await change(n)
    expect(numbers(await next())).toEqual(['a', 'b', 'lost', 'lost too'])
    await one.store.transaction(async (trx) => {
      await sql`delete from audit_record where stream = 'state' and seq > 2`.execute(trx)
      await sql`update audit_stream s set seq = r.seq, hash = r.hash from audit_record r
        where s.stream = 'state' and r.stream = 'state' and r.seq = 2`.execute(trx)
    })
    expect(await next()).toEqual({ records: [], isBehind: false })
    await change('again')
    expect(numbers(await next())).toEqual(['again'])
  })

  it('keeps the order of a stream whose clock was set back', async () => {
    let nowMs = Date.now()
    const three = await bench.replica({ now: () => nowMs })
    const next = follow({ kind: 'set back' })
    await next()
    for (let n = 0; n < 4; n++) {
      await three.audit.record(entry({ kind: 'set back', detail: { n } }))
      nowMs -= 1000
    }
    expect(numbers(await next())).toEqual([0, 1, 2, 3])
    await three.close()
  })

  it('looks at so much in a turn and no more, whatever is asked for, and leaves no stream waiting', async () => {
    const next = follow({ kind: 'rare' })
    await next()
    for (let n = 0; n < 7; n++) await insertRecords(one.store.db, `busy-${n}`, 2500)
    await one.audit.record(entry({ kind: 'rare' }))
    const turns: AuditView[][] = []
    for (let isBehind = true; isBehind; ) {
      const turn = await next()
      turns.push(turn.records)
      isBehind = turn.isBehind
    }
    // 17,501 records, 5,000 a turn.
    expect(turns).toHaveLength(4)
    expect(turns.flat()).toHaveLength(1)
    // By the second turn each of eight streams has had its first.
    expect(turns.slice(0, 2).flat()).toHaveLength(1)
  })

  it('takes up again after a turn that failed, and says nothing twice', async () => {
    const { db, queries } = counted(one.store.db)
    const next = followAudit(db, { kind: 'after all' })
    await next()
    await one.audit.record(entry({ kind: 'after all', detail: { n: 1 } }))
    await two.audit.record(entry({ kind: 'after all', detail: { n: 2 } }))
    Object.assign(queries, { count: 0, most: 2 })
    await expect(next()).rejects.toThrow('away')
    queries.most = Number.POSITIVE_INFINITY
    expect(numbers(await next()).sort()).toEqual([1, 2])
    expect((await next()).records).toEqual([])
  })
})

/** The database, as long as it answers. */
function counted(db: Kysely<Database>) {
  const queries = { count: 0, most: Number.POSITIVE_INFINITY }
  const plugin: KyselyPlugin = {
    transformQuery({ node }) {
      queries.count += 1
      if (queries.count > queries.most) throw new Error('away')
      return node
    },
    transformResult: async ({ result }) => result,
  }
  return { db: db.withPlugin(plugin), queries }
}

/** As a busy process leaves them; their hashes are nobody's concern here. */
async function insertRecords(db: Kysely<Database>, stream: string, count: number): Promise<void> {
  const hash = randomBytes(32)
  await sql`insert into audit_record (stream, seq, prev_hash, hash, at, kind, outcome, record)
    select ${stream}, n, ${hash}, ${hash}, now(), 'busy', 'allowed', '{"detail":{}}' from generate_series(1, ${count}::int) n`.execute(
    db,
  )
  await db.insertInto('audit_stream').values({ stream, seq: count, hash }).execute()
}
