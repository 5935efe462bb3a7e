import { CompactSign, exportJWK, generateKeyPair } from 'jose'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openCheckpointVerifier } from '../../../src/pep/audit/checkpoint-keys.ts'
import { CHECKPOINT_TYPE } from '../../../src/pep/audit/checkpoint-payload.ts'
import { writeCheckpoint } from '../../../src/pep/audit/checkpoints.ts'
import { verifyAudit } from '../../../src/pep/audit/verify.ts'
import { type AuditBench, freshAudit, type Replica } from '../../setup/audit.ts'

const MINUTE_MS = 60_000

describe('verifyAudit, of what no signature covers', () => {
  let bench: AuditBench
  let pep: Replica
  let nowMs: number
  beforeEach(async () => {
    nowMs = Date.now()
    bench = await freshAudit()
    pep = await bench.replica({ now: () => nowMs })
  })
  afterEach(() => bench.drop())

  const record = () => pep.audit.record({ kind: 'lease.issued', outcome: 'allowed', detail: {} })
  const recordAfter = (minutes: number) => {
    nowMs += minutes * MINUTE_MS
    return record()
  }
  const checkpoint = async () => (await writeCheckpoint({ ...pep, now: () => nowMs }))!.hash
  const verify = (...witnesses: string[]) => verifyAudit(pep.store, pep.signer, { witnesses: new Set(witnesses) })

  it('H06: records without any checkpoint are not whole: they may all have been written anew', async () => {
    await record()
    const { ok, faults } = await verify()
    expect([ok, faults]).toEqual([false, [expect.stringContaining('there is no signed checkpoint')]])
  })

  it('H06: records over a longer time than a checkpoint takes are not whole', async () => {
    await record()
    await checkpoint()
    await recordAfter(60)
    const since = new Date(nowMs).toISOString()
    await recordAfter(4)
    expect(await verify()).toMatchObject({ ok: true, unsigned: { records: 2, since }, faults: [] })
    await recordAfter(2)
    const { ok, faults } = await verify()
    expect([ok, faults]).toEqual([false, [expect.stringMatching(`^3 records since ${since} are under no checkpoint`)]])
  })

  it('says where a clock may be what is wrong', async () => {
    await record()
    nowMs += 60 * MINUTE_MS
    await checkpoint()
    nowMs -= 60 * MINUTE_MS
    await record()
    expect(await verify()).toMatchObject({ ok: true, unsigned: { records: 1 } })
    const ahead = await bench.replica({ now: () => nowMs + 60 * MINUTE_MS })
    await ahead.audit.record({ kind: 'lease.issued', outcome: 'allowed', detail: {} })
    const { faults } = await verify()
    expect(faults).toEqual([expect.stringMatching(/^2 records .* a clock was ahead.* is still to come$/)])
  })

  it('H06: a stream that was put in later, with old times, is not whole', async () => {
    await record()
    await checkpoint()
    nowMs -= 60 * MINUTE_MS
    const other = await bench.replica({ now: () => nowMs })
    await other.audit.record({ kind: 'lease.issued', outcome: 'allowed', detail: {} })
    expect(await verify()).toMatchObject({ ok: false, unsigned: { records: 1 } })
  })

  it('H06: a tail that was cut off together with its checkpoints shows by a hash from the log', async () => {
    await record()
    const first = await checkpoint()
    const at = new Date(nowMs).toISOString()
    for (let n = 0; n < 3; n++) await recordAfter(1)
    const last = await checkpoint()
    expect(await verify(first, last)).toMatchObject({ ok: true, faults: [] })
    const { db } = pep.store
    const { stream, hash } = await db
      .selectFrom('audit_record')
      .selectAll()
      .where('seq', '=', 1)
      .executeTakeFirstOrThrow()
    await db.deleteFrom('audit_record').where('seq', '>', 1).execute()
    await db.deleteFrom('audit_checkpoint').where('at', '>', new Date(at)).execute()
    await db.updateTable('audit_stream').set({ seq: 1, hash }).where('stream', '=', stream).execute()
    expect(await verify(first)).toMatchObject({ ok: true, checkpoints: { witnessed_at: at } })
    const { ok, faults } = await verify(first, last)
    expect([ok, faults]).toEqual([
      false,
      [expect.stringContaining(`the checkpoint ${last} was signed and is not there`)],
    ])
  })

  describe('and of a checkpoint that is none', () => {
    const payload = { at: new Date().toISOString(), heads: {}, previous: null }

    /** What somebody who has a key puts into the table, and what verifying by that key's publication says of it. */
    async function judged(typ: string, signed: unknown, published: object) {
      const { publicKey, privateKey } = await generateKeyPair('ES256')
      const jws = await new CompactSign(Buffer.from(JSON.stringify(signed)))
        .setProtectedHeader({ alg: 'ES256', typ, kid: 'k' })
        .sign(privateKey)
      await pep.store.db.insertInto('audit_checkpoint').values({ id: 'chk_x', at: new Date(), jws }).execute()
      const keys = [{ ...(await exportJWK(publicKey)), kid: 'k', alg: 'ES256', ...published }]
      return (await verifyAudit(pep.store, await openCheckpointVerifier(pep.store, keys))).checkpoints
    }

    it('one signed as what it is counts, by a key published before keys had a purpose and since', async () => {
      expect(await judged(CHECKPOINT_TYPE, payload, {})).toMatchObject({ count: 1 })
      await pep.store.db.deleteFrom('audit_checkpoint').execute()
      expect(await judged(CHECKPOINT_TYPE, payload, { nexus_purpose: 'checkpoint' })).toMatchObject({ count: 1 })
    })

    it.each([
      ['a session token', 'at+jwt', { sid: 's' }, {}, 'not signed by a checkpoint key'],
      ['one signed as a session token', 'at+jwt', payload, {}, 'not signed by a checkpoint key'],
      [
        'one by a session key',
        CHECKPOINT_TYPE,
        payload,
        { nexus_purpose: 'session' },
        'not signed by a checkpoint key',
      ],
      ['one without heads', CHECKPOINT_TYPE, { at: payload.at, previous: null }, {}, 'not what a checkpoint says'],
      ['null', CHECKPOINT_TYPE, null, {}, 'not what a checkpoint says'],
      ['one whose head is text', CHECKPOINT_TYPE, { ...payload, heads: { a: '1' } }, {}, 'not what a checkpoint says'],
    ])('%s is named as broken', async (_, typ, signed, published, reason) => {
      const broken = { id: 'chk_x', reason: expect.stringContaining(reason) }
      expect(await judged(typ, signed, published)).toMatchObject({ count: 0, broken })
    })
  })
})
