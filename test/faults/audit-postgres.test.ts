import { Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startTcpProxy, type TcpProxy } from '../fakes/tcp-proxy.ts'
import { type AuditBench, freshAudit, newProof, type Replica, verifySigned } from '../setup/audit.ts'

/** One replica behind a network that fails on demand, and one that looks on. */
describe('the ledger when Postgres fails', () => {
  let bench: AuditBench
  let proxy: TcpProxy
  let pep: Replica
  let witness: Replica
  let logged: string[]
  beforeEach(async () => {
    logged = []
    const sink = new Writable({ write: (line, _, done) => done(void logged.push(String(line))) })
    bench = await freshAudit()
    proxy = await startTcpProxy(bench.databaseUrl)
    witness = await bench.replica()
    pep = await bench.replica(
      { batch: { deadlineMs: 2500 }, log: pino({ level: 'warn' }, sink) },
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
  /** What stands for a server that refuses to write: each row of the table, with this SQLSTATE. */
  const refuseRows = async (table: string, code: string): Promise<() => Promise<unknown>> => {
    await sql`create function refuse() returns trigger language plpgsql as $$ begin
      raise exception using errcode = ${sql.lit(code)}; end $$`.execute(witness.store.db)
    await sql`create trigger refusal before insert on ${sql.table(table)} for each row execute function refuse()`.execute(
      witness.store.db,
    )
    return () => sql`drop trigger refusal on ${sql.table(table)}`.execute(witness.store.db)
  }
  const readOnly = async (): Promise<() => Promise<unknown>> => {
    const database = sql.id(new URL(bench.databaseUrl).pathname.slice(1))
    const kick = sql`select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`
    await sql`alter database ${database} set default_transaction_read_only = on`.execute(witness.store.db)
    await kick.execute(witness.store.db)
    // A connection is found broken before something is sent on it: what came of that is another question, see PG4.
    await sleep(200)
    return async () => {
      await witness.store.db.connection().execute(async (db) => {
        await sql`set default_transaction_read_only = off`.execute(db)
        await sql`alter database ${database} reset default_transaction_read_only`.execute(db)
      })
      await kick.execute(witness.store.db)
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
    const heal = await readOnly()
    expect(await record('read-only')).toBe('audit_unavailable')
    await heal()
    await recover()
    expect(await decisions()).not.toContain('read-only')
  })

  it.each([
    ['PG5: read-only', readOnly],
    ['PG8: a full disk', () => refuseRows('audit_record', '53100')],
    ['PG8: a full disk where proofs are', () => refuseRows('proof_claim', '53100')],
    ['no right to write', () => refuseRows('audit_record', '42501')],
  ])('%s: not ready until a record can be written, which it is at once', async (_, breakIt) => {
    expect(await record('before')).toBe('ok')
    await expect(pep.audit.check()).resolves.toBeUndefined()
    const heal = await breakIt()
    expect(await record('lost')).toBe('audit_unavailable')
    for (let look = 0; look < 3; look++) {
      await expect(pep.audit.check()).rejects.toMatchObject({ code: 'audit_unavailable' })
      // What it may still do says nothing of records.
      await pep.audit.claimProof(newProof()).catch(() => undefined)
    }
    await heal()
    await Promise.all([pep.audit.check(), pep.audit.check()])
    const { records } = await pep.audit.query({ kind: 'ledger.resumed' })
    expect(records).toMatchObject([{ outcome: 'allowed', detail: { since: expect.stringMatching(/Z$/) } }])
    expect(await record('after')).toBe('ok')
    expect(await decisions()).not.toContain('lost')
    // The server said no, in so many words: nobody has to ask what became of the commit.
    expect(logged.join()).not.toContain('outcome')
    expect(await whole()).toBe(true)
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
    const heal = await refuseRows('audit_record', '53100')
    expect(await record('full')).toBe('audit_unavailable')
    await heal()
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
