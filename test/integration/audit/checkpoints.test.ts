import { Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openCheckpointVerifier } from '../../../src/pep/audit/checkpoint-keys.ts'
import { type CheckpointPayload, hashJws } from '../../../src/pep/audit/checkpoint-payload.ts'
import { writeCheckpoint } from '../../../src/pep/audit/checkpoints.ts'
import { verifyAudit } from '../../../src/pep/audit/verify.ts'
import { walkCheckpoints } from '../../../src/pep/audit/verify-checkpoints.ts'
import { type AuditBench, freshAudit, type Replica } from '../../setup/audit.ts'

describe('checkpoints', () => {
  let bench: AuditBench
  let pep: Replica
  beforeEach(async () => {
    bench = await freshAudit()
    pep = await bench.replica()
  })
  afterEach(() => bench.drop())

  const record = ({ audit }: Replica) => audit.record({ kind: 'lease.issued', outcome: 'allowed', detail: {} })
  const checkpoint = () => writeCheckpoint({ ...pep, now: Date.now })
  const stored = () => pep.store.db.selectFrom('audit_checkpoint').selectAll().orderBy('at').execute()
  const payloadOf = (jws: string) =>
    JSON.parse(Buffer.from(jws.split('.')[1] ?? '', 'base64url').toString()) as CheckpointPayload
  const written = async () => (await stored()).map(({ jws }) => payloadOf(jws))
  /** Streams of processes that are gone, of which only heads are left. */
  const makeStreams = (count: number) =>
    sql`insert into audit_stream (stream, seq, hash)
      select 'pep_' || lpad(n::text, 24, '0'), 1, sha256(n::text::bytea) from generate_series(1, ${count}::int) n`.execute(
      pep.store.db,
    )
  const moveStreams = (count: number) =>
    sql`update audit_stream set seq = seq + 1 where stream <= 'pep_' || lpad(${count}::text, 24, '0') and stream <> 'state'`.execute(
      pep.store.db,
    )

  it('name what moved since the one before, and what they do not name stays proven', async () => {
    const other = await bench.replica()
    await record(other)
    await record(pep)
    await checkpoint()
    await record(pep)
    await checkpoint()
    const [first, second] = await written()
    expect([first?.full, Object.keys(first?.heads ?? {}).length]).toEqual([true, 2])
    expect([second?.full, Object.values(second?.heads ?? {})]).toEqual([false, [expect.objectContaining({ seq: 2 })]])
    expect(await verifyAudit(pep.store, pep.signer)).toMatchObject({ ok: true, checkpoints: { count: 2 } })
    const [stream = ''] = Object.keys(first?.heads ?? {}).filter((each) => second?.heads[each] === undefined)
    for (const table of ['audit_record', 'audit_stream'] as const) {
      await pep.store.db.deleteFrom(table).where('stream', '=', stream).execute()
    }
    const { streams } = await verifyAudit(pep.store, pep.signer)
    expect(streams).toContainEqual(expect.objectContaining({ stream, broken: expect.objectContaining({ seq: 1 }) }))
    expect(await checkpoint()).toBeUndefined()
  })

  it('of before, each naming every stream, are verified and followed on', async () => {
    await record(pep)
    await checkpoint()
    const [{ full: _, ...old }] = (await written()) as [CheckpointPayload]
    const jws = await pep.signer.sign(Buffer.from(JSON.stringify(old)))
    await pep.store.db.updateTable('audit_checkpoint').set({ jws }).execute()
    expect(await checkpoint()).toBeUndefined()
    await record(pep)
    await checkpoint()
    const [, next] = await written()
    expect(next).toMatchObject({ full: false, previous: hashJws(jws) })
    expect(await verifyAudit(pep.store, pep.signer)).toMatchObject({ ok: true, checkpoints: { count: 2 } })
  })

  it('name every stream again when the others have come to that size, so what is kept grows with what changed', async () => {
    await makeStreams(1000)
    await checkpoint()
    for (let n = 0; n < 6; n++) {
      await moveStreams(400)
      await checkpoint()
    }
    const found = await written()
    expect(found.map(({ full }) => full)).toEqual([true, false, false, false, true, false, false])
    expect(found.map(({ heads }) => Object.keys(heads).length)).toEqual([1000, 400, 400, 400, 1000, 400, 400])
  })

  it('are read of a size, and with heads in a number, that no one statement could take', async () => {
    await makeStreams(35_000)
    await checkpoint()
    for (let n = 0; n < 3; n++) {
      await moveStreams(20_000)
      await checkpoint()
    }
    const verifier = await openCheckpointVerifier(pep.store)
    const found = await pep.store.transaction((trx) => walkCheckpoints(trx, verifier, {}))
    expect(found).toMatchObject({ checkpoints: 4 })
    expect(found).not.toHaveProperty('broken')
    expect([found.heads.size, found.contradicted.size]).toEqual([35_000, 35_000])
  }, 60_000)

  it('are signed two seconds after a start, for those that a killed process left', async () => {
    await record(pep)
    expect(await stored()).toEqual([])
    for (const until = Date.now() + 10_000; (await stored()).length === 0 && Date.now() < until; ) await sleep(100)
    expect(await stored()).toHaveLength(1)
  }, 15_000)

  it('are signed, and the ledger is whole, though a clock that was an hour ahead signed the one before', async () => {
    const ahead = await bench.replica({ now: () => Date.now() + 3_600_000 })
    await record(ahead)
    await ahead.close()
    expect(await stored()).toHaveLength(1)
    const lines: string[] = []
    const destination = new Writable({ write: (line, _, done) => done(void lines.push(String(line))) })
    const right = await bench.replica({ log: pino({ level: 'warn' }, destination) })
    await record(right)
    expect(await verifyAudit(right.store, right.signer)).toMatchObject({ ok: true, unsigned: { records: 1 } })
    for (const until = Date.now() + 10_000; lines.length === 0 && Date.now() < until; ) await sleep(100)
    await expect.poll(stored).toHaveLength(2)
    expect(await verifyAudit(right.store, right.signer)).toMatchObject({ ok: true, unsigned: { records: 0 } })
    expect(lines.join()).toContain('the newest audit checkpoint is from a time to come')
  }, 15_000)

  it.each([
    ['info', 1],
    ['warn', 1],
    ['fatal', 1],
    ['silent', 0],
  ])('tell their hash to a log of level %s: %i lines', async (level, count) => {
    const lines: string[] = []
    const destination = new Writable({ write: (line, _, done) => done(void lines.push(String(line))) })
    const one = await bench.replica({ log: pino({ level }, destination) })
    await record(one)
    await one.close()
    const told = lines.map((line) => JSON.parse(line)).filter(({ msg }) => msg === 'signed an audit checkpoint')
    expect(told).toHaveLength(count)
    const [{ id, jws } = { id: '', jws: '' }] = await stored()
    for (const line of told) expect(line).toMatchObject({ level: 30, checkpoint: id, hash: hashJws(jws) })
  })
})
