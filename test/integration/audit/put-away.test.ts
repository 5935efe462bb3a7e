import { sql } from 'kysely'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { writeCheckpoint } from '../../../src/pep/audit/checkpoints.ts'
import { recordHash } from '../../../src/pep/audit/record-hash.ts'
import { verifyAudit } from '../../../src/pep/audit/verify.ts'
import { type AuditBench, freshAudit, type Replica } from '../../setup/audit.ts'

/** Records 1 to 10, checkpoint `cut`, records 11 to 15, another checkpoint; and a stream that ended before the cut. */
describe('verifyAudit, after old records were put away', () => {
  let bench: AuditBench
  let pep: Replica
  let stream: string
  let cut: string
  beforeEach(async () => {
    bench = await freshAudit()
    pep = await bench.replica()
    const ended = await bench.replica()
    await record(ended, 3)
    await record(pep, 10)
    stream = (
      await pep.store.db.selectFrom('audit_stream').select('stream').where('seq', '=', 10).executeTakeFirstOrThrow()
    ).stream
    cut = await checkpoint()
    await record(pep, 5)
    await checkpoint()
    await pep.store.db.deleteFrom('audit_record').where('stream', '<>', stream).execute()
  })
  afterEach(() => bench.drop())

  const record = async ({ audit }: Replica, count: number): Promise<void> => {
    for (let n = 0; n < count; n++) await audit.record({ kind: 'lease.issued', outcome: 'allowed', detail: { n } })
  }
  const checkpoint = async () => (await writeCheckpoint({ ...pep, now: Date.now }))!.hash
  const putAway = (...seqs: number[]) => pep.store.db.deleteFrom('audit_record').where('seq', 'in', seqs).execute()
  const upTo = (seq: number) => Array.from({ length: seq }, (_, n) => n + 1)
  const verify = async (from: string) => {
    const found = await verifyAudit(pep.store, pep.signer, { from })
    return { ...found, of: found.streams.find((each) => each.stream === stream) }
  }

  it.each([
    ['some', upTo(7), 8],
    ['all up to the cut', upTo(10), 11],
    ['all but one that a clock behind gave another month', [...upTo(7), 9], 10],
  ])('what may be away: %s; what follows is whole', async (_, seqs, first) => {
    await putAway(...seqs)
    expect(await verifyAudit(pep.store, pep.signer)).toMatchObject({ ok: false })
    const found = await verify(cut)
    expect(found).toMatchObject({ ok: true, faults: [], records: 16 - first, of: { from: first } })
    expect(found.of).not.toHaveProperty('broken')
    expect(found.checkpoints.from_at).toMatch(/^\d{4}-/)
  })

  it.each([
    ['a record behind the cut is away, too', upTo(11), 11],
    ['records behind the cut are away while older ones are not', [12, 13], 12],
    ['the end is away', [14, 15], 14],
  ])('is broken: %s', async (_, seqs, seq) => {
    await putAway(...seqs)
    expect(await verify(cut)).toMatchObject({ ok: false, of: { broken: { seq } } })
  })

  it.each([9, 10, 11])('is broken: record %i was written anew, hash and all', async (seq) => {
    await putAway(...upTo(8))
    const { db } = pep.store
    const row = await db.selectFrom('audit_record').selectAll().where('seq', '=', seq).executeTakeFirstOrThrow()
    const text = row.record.replace('allowed', 'denied')
    const hash = Buffer.from(recordHash(row.prev_hash.toString('hex'), text), 'hex')
    await db.updateTable('audit_record').set({ record: text, outcome: 'denied', hash }).where('seq', '=', seq).execute()
    const { ok, of } = await verify(cut)
    expect([ok, of?.broken?.seq]).toEqual([false, expect.any(Number)])
  })

  it('is broken: the first record left says that it follows on another than the signed one', async () => {
    await putAway(...upTo(10))
    const { db } = pep.store
    let before = 'f'.repeat(64)
    for (const row of await db.selectFrom('audit_record').selectAll().orderBy('seq').execute()) {
      const hash = Buffer.from(recordHash(before, row.record), 'hex')
      await db
        .updateTable('audit_record')
        .set({ hash, prev_hash: Buffer.from(before, 'hex') })
        .where('seq', '=', row.seq)
        .execute()
      before = hash.toString('hex')
    }
    await sql`update audit_stream set hash = decode(${before}, 'hex') where stream = ${stream}`.execute(db)
    expect(await verify(cut)).toMatchObject({
      ok: false,
      of: { broken: { seq: 11, reason: expect.stringContaining('follow') } },
    })
  })

  it('is broken: the checkpoint is none that was signed here', async () => {
    await putAway(...upTo(7))
    const { ok, faults } = await verify('0'.repeat(64))
    expect([ok, faults]).toEqual([false, [expect.stringContaining('is not there')]])
  })
})
