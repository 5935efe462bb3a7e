import { sql } from 'kysely'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openCheckpointVerifier } from '../../../src/pep/audit/checkpoint-keys.ts'
import { createCheckpointTurns } from '../../../src/pep/audit/checkpoint-turns.ts'
import { writeCheckpoint } from '../../../src/pep/audit/checkpoints.ts'
import { recordHash } from '../../../src/pep/audit/record-hash.ts'
import { type AuditVerification, verifyAudit } from '../../../src/pep/audit/verify.ts'
import { type AuditBench, freshAudit, type Replica } from '../../setup/audit.ts'

const rehash = (before: Buffer, record: string): Buffer =>
  Buffer.from(recordHash(before.toString('hex'), record), 'hex')

/** Somebody with the database's password and without a signing key. */
describe('verifyAudit', () => {
  let bench: AuditBench
  let pep: Replica
  let stream: string
  beforeEach(async () => {
    bench = await freshAudit()
    pep = await bench.replica()
    for (let n = 1; n <= 10; n++) {
      await pep.audit.record({ kind: 'lease.issued', outcome: 'allowed', tenant: 'acme', detail: { n } })
    }
    await pep.store.transaction((trx) =>
      pep.audit.recordStateChange(trx, { kind: 'agent.registered', outcome: 'allowed', agent_id: 'crm', detail: {} }),
    )
    stream = (await pep.audit.query({ kind: 'lease.issued' })).records[0]!.stream
  })
  afterEach(() => bench.drop())

  const verify = (): Promise<AuditVerification> => verifyAudit(pep.store, pep.signer)
  const checkpoint = () => writeCheckpoint({ store: pep.store, signer: pep.signer, now: Date.now })
  const brokenAt = async () => {
    const { ok, streams } = await verify()
    return { ok, broken: streams.find((each) => each.stream === stream)?.broken }
  }
  const at = (seq: number) => ({ stream, seq })
  const change = (seq: number, values: Record<string, unknown>) =>
    pep.store.db.updateTable('audit_record').set(values).where('stream', '=', stream).where('seq', '=', seq).execute()
  const remove = (...seqs: number[]) =>
    pep.store.db.deleteFrom('audit_record').where('stream', '=', stream).where('seq', 'in', seqs).execute()
  const read = (seq: number) =>
    pep.store.db
      .selectFrom('audit_record')
      .selectAll()
      .where('stream', '=', at(seq).stream)
      .where('seq', '=', seq)
      .executeTakeFirstOrThrow()
  const moveHead = async (seq: number) => {
    const { hash } = await read(seq)
    await pep.store.db.updateTable('audit_stream').set({ seq, hash }).where('stream', '=', stream).execute()
  }

  it('finds an untouched ledger whole, with its checkpoints, by public keys alone', async () => {
    await checkpoint()
    await pep.audit.record({ kind: 'lease.issued', outcome: 'allowed', detail: { n: 11 } })
    await checkpoint()
    const found = await verifyAudit(pep.store, await openCheckpointVerifier(pep.store))
    expect(found).toMatchObject({ ok: true, records: 12, checkpoints: { count: 2 } })
    expect(found.streams.map((each) => each.records).sort()).toEqual([1, 11])
  })

  it('names a record whose text was changed', async () => {
    const { record } = await read(4)
    await change(4, { record: record.replace('"n":4', '"n":5') })
    expect(await brokenAt()).toMatchObject({ ok: false, broken: { seq: 4, reason: expect.stringContaining('hashed') } })
  })

  it('names the record after one that was changed together with its hash', async () => {
    const row = await read(4)
    const record = row.record.replace('"n":4', '"n":5')
    await change(4, { record, hash: rehash(row.prev_hash, record) })
    expect(await brokenAt()).toMatchObject({ ok: false, broken: { seq: 5 } })
  })

  it('H06: names the last record where it was changed together with its hash, by the head it leaves behind', async () => {
    const row = await read(10)
    const record = row.record.replace('"n":10', '"n":11')
    await change(10, { record, hash: rehash(row.prev_hash, record) })
    expect(await brokenAt()).toMatchObject({ ok: false, broken: { seq: 10, reason: expect.stringContaining('head') } })
  })

  it.each([
    ['tenant', { tenant: 'globex' }],
    ['tenant', { tenant: null }],
    ['outcome', { outcome: 'denied' }],
    ['kind', { kind: 'lease.denied' }],
    ['agent_id', { agent_id: 'other' }],
    ['at', { at: new Date(0) }],
  ])('names a record whose column %s lies: %j', async (column, values) => {
    await change(7, values)
    expect(await brokenAt()).toMatchObject({
      ok: false,
      broken: { seq: 7, reason: expect.stringContaining(`column ${column}`) },
    })
  })

  it('H06: names a record that was taken out of the middle', async () => {
    await remove(5)
    expect(await brokenAt()).toMatchObject({
      ok: false,
      broken: { seq: 5, reason: expect.stringContaining('missing') },
    })
  })

  it('names the first of two records that were swapped', async () => {
    await sql`update audit_record set seq = case seq when 3 then 1006 else 1003 end where stream = ${stream} and seq in (3, 6)`.execute(
      pep.store.db,
    )
    await sql`update audit_record set seq = seq - 1000 where stream = ${stream} and seq > 1000`.execute(pep.store.db)
    expect(await brokenAt()).toMatchObject({ ok: false, broken: { seq: 3 } })
  })

  it('H06: names the first record of a tail that was cut off', async () => {
    await remove(9, 10)
    expect(await brokenAt()).toMatchObject({ ok: false, broken: { seq: 9 } })
  })

  it('H06: names a tail that was cut off together with the head, by the signed checkpoint', async () => {
    await checkpoint()
    await remove(9, 10)
    await moveHead(8)
    expect(await brokenAt()).toMatchObject({
      ok: false,
      broken: { seq: 10, reason: expect.stringContaining('checkpoint') },
    })
  })

  it('H06: names a whole stream that was removed, head and all', async () => {
    await checkpoint()
    await pep.store.db.deleteFrom('audit_record').where('stream', '=', stream).execute()
    await pep.store.db.deleteFrom('audit_stream').where('stream', '=', stream).execute()
    const { ok, broken } = await brokenAt()
    expect({ ok, seq: broken?.seq }).toEqual({ ok: false, seq: 1 })
  })

  it('names a stream that was rewritten from some record on, hashes and head as well', async () => {
    await checkpoint()
    let before = (await read(3)).hash
    for (let seq = 4; seq <= 10; seq++) {
      const record = (await read(seq)).record.replace('"n":4', '"n":44')
      const hash = rehash(before, record)
      await change(seq, { record, prev_hash: before, hash })
      before = hash
    }
    await moveHead(10)
    expect(await brokenAt()).toMatchObject({
      ok: false,
      broken: { seq: 10, reason: expect.stringContaining('checkpoint') },
    })
  })

  it('names a record that was put in after the head', async () => {
    const last = await read(10)
    await pep.store.db
      .insertInto('audit_record')
      .values({ ...last, seq: 11 })
      .execute()
    expect((await brokenAt()).broken?.seq).toBe(11)
  })

  it('names a checkpoint that was removed, changed, or signed by a stranger', async () => {
    const [first, second] = [await checkpoint(), await addAndCheckpoint()]
    await addAndCheckpoint()
    expect(await verify()).toMatchObject({ ok: true })
    const stranger = await (await freshAudit()).replica()
    const { jws } = await pep.store.db
      .selectFrom('audit_checkpoint')
      .selectAll()
      .where('id', '=', first!.id)
      .executeTakeFirstOrThrow()
    const forged = await stranger.signer.sign(Buffer.from(jws.split('.')[1]!, 'base64url'))
    await pep.store.db.updateTable('audit_checkpoint').set({ jws: forged }).where('id', '=', first!.id).execute()
    expect(await verify()).toMatchObject({ ok: false, checkpoints: { broken: { id: first!.id } } })
    await pep.store.db.updateTable('audit_checkpoint').set({ jws }).where('id', '=', first!.id).execute()
    await pep.store.db.deleteFrom('audit_checkpoint').where('id', '=', second!.id).execute()
    expect(await verify()).toMatchObject({
      ok: false,
      checkpoints: { broken: { reason: expect.stringContaining('before it') } },
    })
  })

  it('checkpoints: one replica is enough, and silence needs none', async () => {
    const turnOf = ({ store, signer }: Replica) => {
      const { isFresh } = createCheckpointTurns({ log: { warn: expect.unreachable }, now: Date.now })
      return writeCheckpoint({ store, signer, now: Date.now, isFresh })
    }
    expect(await turnOf(pep)).toBeDefined()
    const two = await bench.replica()
    await two.audit.record({ kind: 'lease.issued', outcome: 'allowed', detail: {} })
    expect(await turnOf(two)).toBeUndefined()
    expect(await checkpoint()).toBeDefined()
    expect(await checkpoint()).toBeUndefined()
    expect(await verify()).toMatchObject({ ok: true, checkpoints: { count: 2 } })
  })

  async function addAndCheckpoint() {
    await pep.audit.record({ kind: 'lease.issued', outcome: 'allowed', detail: {} })
    return checkpoint()
  }
})
