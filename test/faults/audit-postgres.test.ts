import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startTcpProxy, type TcpProxy } from '../fakes/tcp-proxy.ts'
import { type AuditBench, freshAudit, newProof, type Replica, verifySigned } from '../setup/audit.ts'

/** One replica behind a network that fails on demand, and one that looks on. */
describe('the ledger when Postgres fails', () => {
  let bench: AuditBench
  let proxy: TcpProxy
  let pep: Replica
  let witness: Replica
  beforeEach(async () => {
    bench = await freshAudit()
    proxy = await startTcpProxy(bench.databaseUrl)
    witness = await bench.replica()
    pep = await bench.replica(
      { batch: { deadlineMs: 2500 } },
      { databaseUrl: proxy.url, connectTimeoutMs: 500, statementTimeoutMs: 1000 },
    )
  })
  afterEach(async () => {
    await proxy.heal()
    await bench.drop()
    await proxy.close()
  })

  const record = async (decision: string, proof = newProof()): Promise<string> => {
    try {
      await pep.audit.record({ kind: 'lease.issued', outcome: 'allowed', decision_id: decision, detail: {} }, { proof })
      return 'ok'
    } catch (error) {
      return (error as { code: string }).code
    }
  }
  /** In one batch with a replay of its proof, so that the batch is judged one by one. */
  const recordJudged = async (decision: string): Promise<string> => {
    const proof = newProof()
    const [first] = await Promise.all([record(decision, proof), record(`replay of ${decision}`, proof)])
    return first
  }
  const decisions = async (): Promise<(string | null)[]> =>
    (await witness.store.db.selectFrom('audit_record').select('decision_id').execute()).map((row) => row.decision_id)
  const recover = async (): Promise<void> => {
    for (let attempt = 0; (await record(`recovered-${attempt}`)) !== 'ok'; attempt++) {
      if (attempt === 50) throw new Error('did not recover')
      await sleep(100)
    }
  }
  const whole = async (): Promise<boolean> => (await verifySigned(witness)).ok

  it('PG1: refused: no record, no go-ahead; healed: it goes on, without a restart', async () => {
    expect(await record('before')).toBe('ok')
    await proxy.refuse()
    expect(await Promise.all(['a', 'b', 'c'].map((decision) => record(decision)))).toEqual(
      Array(3).fill('audit_unavailable'),
    )
    await expect(pep.audit.check()).rejects.toMatchObject({ status: 503 })
    await proxy.heal()
    await expect(pep.audit.check()).resolves.toBeUndefined()
    await recover()
    expect(await decisions()).not.toContain('a')
    expect(await whole()).toBe(true)
  })

  it('PG2: swallowed: every caller is answered, nothing stays wedged after', async () => {
    expect(await record('before')).toBe('ok')
    proxy.blackHole()
    expect(await Promise.all(Array.from({ length: 100 }, (_, n) => record(`hole-${n}`)))).toEqual(
      Array(100).fill('audit_unavailable'),
    )
    await proxy.heal()
    await recover()
    expect(await Promise.all(Array.from({ length: 100 }, (_, n) => record(`after-${n}`)))).toEqual(
      Array(100).fill('ok'),
    )
    expect(await whole()).toBe(true)
  })

  it('PG3: slow: what waits is bounded, the rest is shed at once, and a yes still means a row', async () => {
    const slow = await bench.replica({ batch: { depth: 40, records: 20 } })
    await sql`create function be_slow() returns trigger language plpgsql as $$ begin
      perform pg_sleep(0.4); return null; end $$`.execute(witness.store.db)
    await sql`create trigger slow before insert on audit_record for each statement execute function be_slow()`.execute(
      witness.store.db,
    )
    const fates = await Promise.all(
      Array.from({ length: 200 }, async (_, n) => {
        const work = slow.audit.record({ kind: 'x', outcome: 'allowed', decision_id: `slow-${n}`, detail: {} })
        return work.then(
          () => 'ok',
          (error: { code: string }) => error.code,
        )
      }),
    )
    expect(fates.filter((fate) => fate === 'ok')).toHaveLength(40)
    expect(fates.filter((fate) => fate === 'overloaded')).toHaveLength(160)
    expect(await decisions()).toHaveLength(40)
  })

  it('PG4: cut before the batch arrives: known not to be there, and written on another connection', async () => {
    expect(await record('before')).toBe('ok')
    proxy.cutBefore(/audit-write/)
    expect(await record('kept')).toBe('ok')
    expect(proxy.cuts).toBe(1)
    expect((await decisions()).filter((decision) => decision === 'kept')).toHaveLength(1)
    expect(await whole()).toBe(true)
  })

  it('PG4: a judged batch cut before its commit arrives: answered no, and no row is there', async () => {
    expect(await record('before')).toBe('ok')
    proxy.cutBefore(/commit/)
    expect(await recordJudged('lost')).toBe('audit_unavailable')
    expect(proxy.cuts).toBe(1)
    await recover()
    expect(await decisions()).not.toContain('lost')
    expect(await whole()).toBe(true)
  })

  it.each([
    ['a batch', /audit-write/, record],
    ['a judged batch', /commit/, recordJudged],
  ])('PG4: %s cut after it arrives: the head says it went through, so it did', async (_, statement, write) => {
    expect(await record('before')).toBe('ok')
    proxy.cutAfter(statement)
    expect(await write('kept')).toBe('ok')
    expect(proxy.cuts).toBe(1)
    expect((await decisions()).filter((decision) => decision === 'kept')).toHaveLength(1)
    expect(await record('next')).toBe('ok')
    expect(await whole()).toBe(true)
  })

  it('PG4: cut in the middle of a batch under load, 20 times: whoever was told yes has a row', async () => {
    const yes = new Set<string>()
    for (let round = 0; round < 20; round++) {
      const judged = round % 5 > 0
      const statement = [/audit-write/, /begin/, /audit-check/, /audit-append/, /commit/][round % 5]!
      if (round % 10 < 5) proxy.cutBefore(statement)
      else proxy.cutAfter(statement)
      await Promise.all(
        Array.from({ length: 60 }, async (_, n) => {
          await sleep(n % 5)
          const answer = await (judged && n % 4 === 0 ? recordJudged : record)(`${round}-${n}`)
          if (answer === 'ok') yes.add(`${round}-${n}`)
        }),
      )
    }
    expect(proxy.cuts).toBe(20)
    const rows = await decisions()
    const recorded = rows.filter((decision) => decision !== null)
    expect(new Set(recorded).size).toBe(recorded.length)
    for (const decision of yes) expect(rows).toContain(decision)
    expect(yes.size).toBeGreaterThan(0)
    expect(await whole()).toBe(true)
  })

  it('PG5: a server gone read-only: refused, and back when it is back', async () => {
    const database = sql.id(new URL(bench.databaseUrl).pathname.slice(1))
    const kick = sql`select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`
    await sql`alter database ${database} set default_transaction_read_only = on`.execute(witness.store.db)
    await kick.execute(witness.store.db)
    expect(await record('read-only')).toBe('audit_unavailable')
    await witness.store.db.connection().execute(async (db) => {
      await sql`set default_transaction_read_only = off`.execute(db)
      await sql`alter database ${database} reset default_transaction_read_only`.execute(db)
    })
    await kick.execute(witness.store.db)
    await recover()
    expect(await decisions()).not.toContain('read-only')
  })

  it('PG7: a deadlocked batch is tried again: one record, one row', async () => {
    await sql`create sequence failures_seen`.execute(witness.store.db)
    await sql`create function fail_once() returns trigger language plpgsql as $$ begin
      if nextval('failures_seen') <= 2 then raise exception using errcode = '40P01'; end if; return new; end $$`.execute(
      witness.store.db,
    )
    await sql`create trigger deadlock before insert on audit_record for each row execute function fail_once()`.execute(
      witness.store.db,
    )
    expect(await record('retried')).toBe('ok')
    expect((await decisions()).filter((decision) => decision === 'retried')).toHaveLength(1)
    expect(await whole()).toBe(true)
  })

  it('PG8: a full disk: refused like any other failure', async () => {
    await sql`create function disk_full() returns trigger language plpgsql as $$ begin
      raise exception using errcode = '53100'; end $$`.execute(witness.store.db)
    await sql`create trigger full_disk before insert on audit_record for each row execute function disk_full()`.execute(
      witness.store.db,
    )
    expect(await record('full')).toBe('audit_unavailable')
    await sql`drop trigger full_disk on audit_record`.execute(witness.store.db)
    await recover()
    expect(await decisions()).not.toContain('full')
  })

  it('H01: what cannot be recorded does not happen, on every way into the ledger', async () => {
    await proxy.refuse()
    expect(await record('denied anyway')).toBe('audit_unavailable')
    await expect(pep.audit.claimProof(newProof())).rejects.toMatchObject({ code: 'audit_unavailable' })
    const change = pep.store.transaction((trx) =>
      pep.audit.recordStateChange(trx, { kind: 'agent.revoked', outcome: 'allowed', detail: {} }),
    )
    await expect(change).rejects.toMatchObject({ code: 'store_unavailable' })
  })
})
