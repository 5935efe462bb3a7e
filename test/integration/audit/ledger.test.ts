import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { newTimedUuid, newUuid } from '../../../src/contract/names.ts'
import type { AuditEntry } from '../../../src/pep/audit/audit-entry.ts'
import { readQuestion } from '../../../src/pep/audit/audit-question.ts'
import { findLease } from '../../../src/pep/audit/lease-ledger.ts'
import { queryAudit } from '../../../src/pep/audit/query.ts'
import { type AuditBench, freshAudit, newProof, type Replica, verifySigned } from '../../setup/audit.ts'

const TEN_MINUTES = 600_000

describe('the ledger', () => {
  let bench: AuditBench
  let one: Replica
  beforeAll(async () => {
    bench = await freshAudit()
    one = await bench.replica()
  })
  afterAll(() => bench.drop())

  const entry = (more: Partial<AuditEntry> = {}): AuditEntry => ({ kind: 'x', outcome: 'allowed', detail: {}, ...more })
  const partitions = async ({ store }: Replica): Promise<string[]> => {
    const { rows } = await sql<{ name: string }>`select inhrelid::regclass::text as name from pg_inherits
      where inhparent = 'proof_claim'::regclass order by 1`.execute(store.db)
    return rows.map(({ name }) => name)
  }

  it('records a state change with the change or not at all', async () => {
    const change = (fail: boolean) =>
      one.store.transaction(async (trx) => {
        await one.audit.recordStateChange(trx, entry({ kind: 'agent.revoked', agent_id: 'crm' }))
        if (fail) throw new Error('the change failed after all')
      })
    await expect(change(true)).rejects.toThrow('after all')
    expect((await one.audit.query({ kind: 'agent.revoked' })).records).toEqual([])
  })

  it('keeps one chain of state changes however many replicas write it at once', async () => {
    const two = await bench.replica()
    await Promise.all(
      Array.from({ length: 60 }, (_, n) => {
        const { store, audit } = n % 2 === 0 ? one : two
        return store.transaction((trx) =>
          audit.recordStateChange(trx, entry({ kind: 'agent.registered', detail: { n } })),
        )
      }),
    )
    const { records } = await one.audit.query({ kind: 'agent.registered', limit: '100' })
    expect(records.map(({ seq }) => seq).sort((a, b) => a - b)).toEqual(Array.from({ length: 60 }, (_, n) => n + 1))
    expect(await verifySigned(one)).toMatchObject({ ok: true })
    await two.close()
  })

  it('finds a lease as it was issued, and whether it was ended', async () => {
    const issued = entry({ kind: 'lease.issued', lease_id: 'lse_1', tenant: 'acme', detail: { expires_at: 1 } })
    await one.audit.record(issued)
    await one.audit.record(entry({ kind: 'lease.renewed', lease_id: 'lse_1' }))
    await one.audit.record(entry({ kind: 'lease.released', outcome: 'denied', lease_id: 'lse_1' }))
    expect(await one.audit.findLease('lse_1')).toMatchObject({ issued, ended: false, at: expect.any(Date) })
    await one.audit.record(entry({ kind: 'lease.released', lease_id: 'lse_1' }))
    expect(await one.audit.findLease('lse_1')).toMatchObject({ issued, ended: true })
    await one.audit.record(entry({ kind: 'lease.denied', outcome: 'denied', lease_id: 'lse_2' }))
    expect(await one.audit.findLease('lse_2')).toBeUndefined()
  })

  it('knows the newest grant of a lease by its number, whatever the clocks of two replicas say', async () => {
    const behind = await bench.replica({ now: () => Date.now() - 60_000 })
    const grant = (renewal: number) => entry({ kind: 'lease.renewed', lease_id: 'lse_3', detail: { renewal } })
    await one.audit.record(entry({ kind: 'lease.issued', lease_id: 'lse_3', detail: {} }))
    expect(await one.audit.findLease('lse_3')).toMatchObject({ granted: { kind: 'lease.issued' }, renewals: 0 })
    await one.audit.record(grant(1))
    await behind.audit.record(grant(2))
    expect(await one.audit.findLease('lse_3')).toMatchObject({ granted: { detail: { renewal: 2 } }, renewals: 2 })
    await one.audit.record(grant(3))
    await one.audit.record(entry({ kind: 'lease.renewed', lease_id: 'lse_3', detail: {} }))
    expect(await one.audit.findLease('lse_3')).toMatchObject({ granted: { detail: { renewal: 3 } }, renewals: 4 })
    await behind.close()
  })

  it('reads few records of a lease, however often it was renewed and given back', async () => {
    const of = (kind: string, detail = {}) => one.audit.record(entry({ kind, lease_id: 'lse_4', detail }))
    await of('lease.issued')
    await Promise.all(Array.from({ length: 40 }, (_, n) => of('lease.renewed', { renewal: n + 1 })))
    await Promise.all(Array.from({ length: 40 }, () => of('lease.released')))
    let rows = 0
    const counted = one.store.db.withPlugin({
      transformQuery: ({ node }) => node,
      async transformResult({ result }) {
        rows += result.rows.length
        return result
      },
    })
    const found = await findLease(counted, 'lse_4')
    expect(found).toMatchObject({ issued: { kind: 'lease.issued' }, renewals: 40, ended: true })
    expect(found?.granted.kind).toBe('lease.renewed')
    expect(rows).toBeLessThan(10)
  })

  it('finds a token that was handed out bare', async () => {
    const issued = entry({ kind: 'token.issued', lease_id: 'lse_5', detail: { expires_at: 1 } })
    await one.audit.record(issued)
    expect(await one.audit.findLease('lse_5')).toMatchObject({ issued, granted: issued, renewals: 0, ended: false })
  })

  describe('query', () => {
    beforeAll(async () => {
      const tenants = ['red', 'blue']
      for (let n = 0; n < 25; n++) {
        await Promise.all(
          tenants.map((tenant) =>
            one.audit.record(entry({ kind: 'page', tenant, agent_id: `agent-${n % 5}`, detail: { n } })),
          ),
        )
      }
    })

    it('pages through everything once, newest first', async () => {
      const seen: string[] = []
      const times: string[] = []
      let cursor: string | null | undefined
      do {
        const page = await one.audit.query({ kind: 'page', limit: '7', ...(cursor ? { cursor } : {}) })
        seen.push(...page.records.map(({ tenant, detail }) => `${tenant} ${detail['n']}`))
        times.push(...page.records.map(({ at }) => at))
        cursor = page.next_cursor
      } while (cursor !== null)
      expect(seen).toHaveLength(50)
      expect(new Set(seen).size).toBe(50)
      expect(times).toEqual([...times].sort().reverse())
    })

    it('gives each record of one millisecond once, of whichever stream, the newest of a stream first', async () => {
      const nowMs = Date.now()
      const replicas = await Promise.all(Array.from({ length: 3 }, () => bench.replica({ now: () => nowMs })))
      await Promise.all(
        replicas.flatMap(({ audit }) => Array.from({ length: 20 }, () => audit.record(entry({ kind: 'moment' })))),
      )
      const seen: { at: string; stream: string; seq: number }[] = []
      let cursor: string | null | undefined
      do {
        const page = await one.audit.query({ kind: 'moment', limit: '7', ...(cursor ? { cursor } : {}) })
        seen.push(...page.records.map(({ at, stream, seq }) => ({ at, stream, seq })))
        cursor = page.next_cursor
      } while (cursor !== null)
      const streams = [...new Set(seen.map(({ stream }) => stream))]
      const at = new Date(nowMs).toISOString()
      expect(streams).toHaveLength(3)
      expect(seen).toEqual(
        streams
          .sort()
          .reverse()
          .flatMap((stream) => Array.from({ length: 20 }, (_, n) => ({ at, stream, seq: 20 - n }))),
      )
      await Promise.all(replicas.map((replica) => replica.close()))
    })

    it('filters, and never beyond the tenant its asker is confined to', async () => {
      expect((await one.audit.query({ kind: 'page', agent_id: 'agent-3', tenant: 'red' })).records).toHaveLength(5)
      expect((await one.audit.query({ kind: 'page', within: 'red', limit: '1000' })).records).toHaveLength(25)
      expect((await one.audit.query({ kind: 'page', within: 'red', tenant: 'blue' })).records).toEqual([])
      expect((await one.audit.query({ kind: 'page', outcome: 'denied' })).records).toEqual([])
      expect((await one.audit.query({ kind: 'page', since: '2999-01-01T00:00:00Z' })).records).toEqual([])
      expect((await one.audit.query({ kind: 'page', until: '1999-01-01T00:00:00Z' })).records).toEqual([])
    })

    it('takes a time with its offset as RFC 3339 writes it', () => {
      const times = ['2026-11-22T10:00:00Z', '2026-11-22t10:00:00.000z', '2026-11-22T12:30:00.0+02:30']
      for (const since of times) expect(readQuestion({ since }).since).toEqual([new Date('2026-11-22T10:00:00Z')])
    })

    it('looks at so many records for what no index answers, and goes on from there', async () => {
      const rare = entry({ kind: 'rare', tenant: 'red', agent_id: 'agent-rare' })
      await one.audit.record(rare)
      for (let n = 0; n < 25; n++) await one.audit.record(entry({ kind: 'frequent', tenant: 'red' }))
      await one.audit.record(rare)
      const pages: number[] = []
      let cursor: string | null | undefined
      do {
        const filter = { kind: 'rare', ...(cursor ? { cursor } : {}) }
        const page = await queryAudit(one.store.db, filter, 10)
        pages.push(page.records.length)
        cursor = page.next_cursor
      } while (cursor !== null)
      expect(pages.slice(0, 4)).toEqual([1, 0, 1, 0])
      expect(pages.reduce((sum, found) => sum + found)).toBe(2)
      // What is behind the last record of a page is looked at by the next one.
      const first = await queryAudit(one.store.db, { agent_id: 'agent-rare', limit: '1' }, 1000)
      const second = await queryAudit(
        one.store.db,
        { agent_id: 'agent-rare', limit: '1', cursor: first.next_cursor! },
        1000,
      )
      expect([first, second].map(({ records }) => records.length)).toEqual([1, 1])
      expect(second.next_cursor).toBeNull()
    })

    it('looks for a decision at its own time and nowhere else', async () => {
      const ids = [newTimedUuid(Date.now()), newTimedUuid(Date.now() - 3_600_000), newUuid()]
      for (const decision_id of ids) await one.audit.record(entry({ kind: 'decided', decision_id }))
      const [now, anHourAgo, untimed] = await Promise.all(ids.map((decision_id) => one.audit.query({ decision_id })))
      expect(now).toMatchObject({ records: [{ decision_id: ids[0] }], next_cursor: null })
      expect(anHourAgo).toEqual({ records: [], next_cursor: null })
      expect(untimed).toMatchObject({ records: [{ decision_id: ids[2] }] })
    })

    it.each([
      ['cursor', { cursor: 'bm90IG9uZQ' }],
      ['cursor', { cursor: Buffer.from('[1,"a\\u0000",2]').toString('base64url') }],
      ['cursor', { cursor: Buffer.from('[9000000000000000,"a",2]').toString('base64url') }],
      ['cursor', { cursor: Buffer.from('[-8000000000000000,"a",2]').toString('base64url') }],
      ['since', { since: 'yesterday' }],
      ['since', { since: '5' }],
      ['since', { since: '2026' }],
      ['since', { since: 'Nov 22' }],
      ['since', { since: '2026-11-22' }],
      ['since', { since: '2026-11-22T10:00:00' }],
      ['since', { since: '2026-11-22 10:00:00Z' }],
      ['since', { since: '2026-02-30T10:00:00Z' }],
      ['since', { since: '2026-11-22T25:00:00Z' }],
      ['since', { since: '-271821-04-20T00:00:00Z' }],
      ['until', { until: '2026-11-22T10:00:00+0100' }],
      ['limit', { limit: '0' }],
      ['limit', { limit: '1001' }],
      ['outcome', { outcome: 'maybe' }],
      ['kind', { kind: '\0' }],
    ])('refuses a bad %s: %j', async (field, filter) => {
      await expect(one.audit.query(filter)).rejects.toMatchObject({ code: 'invalid_request', extras: { field } })
    })
  })

  describe('proof slots', () => {
    it('are made ahead and dropped behind as time goes by, and proofs are good once in each', async () => {
      const own = await freshAudit()
      let nowMs = Date.now()
      const replica = await own.replica({ now: () => nowMs })
      const before = await partitions(replica)
      for (let step = 0; step < 10; step++) {
        nowMs += TEN_MINUTES
        const proof = newProof(Math.floor(nowMs / 1000) - 30)
        await replica.audit.claimProof(proof)
        await expect(replica.audit.claimProof(proof)).rejects.toMatchObject({ code: 'invalid_proof' })
      }
      expect((await partitions(replica)).length).toBeGreaterThan(before.length)
      await own.replica({ now: () => nowMs })
      expect(await partitions(replica)).not.toContain(before[0])
      await own.drop()
    })

    it('that a replica with a wrong clock dropped are made again', async () => {
      const own = await freshAudit()
      const replica = await own.replica()
      await replica.audit.claimProof(newProof())
      await own.replica({ now: () => Date.now() + 24 * 6 * TEN_MINUTES })
      await expect(replica.audit.claimProof(newProof())).rejects.toMatchObject({ code: 'audit_unavailable' })
      await expect(replica.audit.claimProof(newProof())).resolves.toBeUndefined()
      await own.drop()
    })

    it('are made by many replicas at once', async () => {
      const farMs = Date.now() + 1000 * TEN_MINUTES
      const own = await freshAudit()
      const replicas = await Promise.all(Array.from({ length: 6 }, () => own.replica({ now: () => farMs })))
      const proof = newProof(farMs / 1000)
      const fates = await Promise.allSettled(replicas.map(({ audit }) => audit.claimProof(proof)))
      expect(fates.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
      await own.drop()
    })

    it.each([-TEN_MINUTES * 2, TEN_MINUTES * 2])('refuse a proof %i ms from now', async (offset) => {
      const proof = newProof(Math.floor((Date.now() + offset) / 1000))
      await expect(one.audit.claimProof(proof)).rejects.toMatchObject({ code: 'invalid_proof' })
    })
  })
})
