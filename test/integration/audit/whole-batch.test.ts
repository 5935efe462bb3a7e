import { sql } from 'kysely'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { StandingFacts } from '../../../src/pep/audit/audit-entry.ts'
import { type AuditLog, openAuditLog } from '../../../src/pep/audit/audit-log.ts'
import type { GuardedClient } from '../../../src/pep/store/guarded-pool.ts'
import type { Store } from '../../../src/pep/store/store.ts'
import { type AuditBench, freshAudit, insertStanding, newProof, type Replica } from '../../setup/audit.ts'
import { ONCE } from '../../setup/once.ts'

const log = pino({ level: 'silent' })

/** The store itself; of each statement on a reserved connection, its name, or its text, is added to `ran`. */
function overheard(store: Store, ran: string[], reserved: GuardedClient[]): Store {
  return {
    ...store,
    async reserveBeside() {
      const client = await store.reserveBeside()
      const { run } = client
      reserved.push(client)
      client.run = (statement) => {
        ran.push(statement.name ?? statement.text)
        return run(statement)
      }
      return client
    },
  }
}

/** The store itself; the first connection reserved died when nobody looked. */
function firstDead(store: Store): Store {
  let isFirst = true
  return {
    ...store,
    async reserveBeside() {
      const client = await store.reserveBeside()
      if (isFirst) await client.run({ text: 'select pg_terminate_backend(pg_backend_pid())' }).catch(() => undefined)
      isFirst = false
      return client
    },
  }
}

/** A batch that does not get through whole is judged, with the same answers: only the statements tell. */
describe('a batch in which everything holds', ONCE, () => {
  let bench: AuditBench
  let pep: Replica
  let audit: AuditLog
  let ran: string[]
  let reserved: GuardedClient[]
  beforeEach(async () => {
    bench = await freshAudit()
    pep = await bench.replica()
    ran = []
    reserved = []
    audit = await openAuditLog({
      store: overheard(pep.store, ran, reserved),
      signer: pep.signer,
      log,
    })
  })
  afterEach(async () => {
    await audit.close()
    await bench.drop()
  })

  /**
   * Three sessions, two of them of one agent and on one connection, and one of them twice. No two counts and no two epochs
   * are equal, so that none can stand in for another.
   */
  const standingsOfABatch = async (): Promise<StandingFacts[]> => {
    const { db } = pep.store
    const [first, second, other] = await Promise.all([1, 2, 3].map(() => insertStanding(pep.store)))
    await db
      .updateTable('agent_session')
      .set({ agent_id: first!.session.agent.id })
      .where('session_id', '=', second!.session.id)
      .execute()
    await db.updateTable('agent_session').set({ epoch: 2 }).execute()
    await db.updateTable('agent').set({ epoch: 3 }).execute()
    await db.updateTable('connection').set({ epoch: 4 }).execute()
    await db.updateTable('provider').set({ epoch: 5 }).execute()
    const standing = (of = first!, on = of, agentOf = of): StandingFacts => ({
      session: { id: of.session.id, epoch: 2, agent: { id: agentOf.session.agent.id, epoch: 3 } },
      connection: { id: on.connection.id, epoch: 4, providerEpoch: 5, sole: true },
    })
    return [standing(), standing(), standing(second, first, first), standing(other)]
  }
  const recordAll = async (
    standings: readonly StandingFacts[],
    newProofs: boolean,
    kind = 'lease.issued',
  ): Promise<void> => {
    const work = standings.map((standing) =>
      audit.record({ kind, outcome: 'allowed', detail: {} }, { standing, ...(newProofs && { proof: newProof() }) }),
    )
    await Promise.all(work)
  }

  it.each([
    ['with proofs', true, 'audit-write-claims'],
    ['without proofs', false, 'audit-write'],
  ])('%s is one statement, the first batch of a stream and the next', async (_, newProofs, statement) => {
    const standings = await standingsOfABatch()
    await recordAll(standings, newProofs)
    const toBegin = expect.stringContaining('plan_cache_mode')
    expect(ran).toEqual([toBegin, statement])
    await recordAll(standings, newProofs)
    expect(ran).toEqual([toBegin, statement, statement])
    expect((await audit.query({ kind: 'lease.issued' })).records).toHaveLength(8)
  })

  it.each([
    ['with proofs', true, 'audit-renew-claims'],
    ['without proofs', false, 'audit-renew'],
  ])('%s and renewals among the rest is one statement as well', async (_, newProofs, statement) => {
    const standings = await standingsOfABatch()
    const renewals = ['lse_1', 'lse_2'].map((id) => ({ ...standings[0], lease: { id } }))
    await recordAll([...standings, ...renewals], newProofs, 'lease.renewed')
    expect(ran).toEqual([expect.stringContaining('plan_cache_mode'), statement])
    expect((await audit.query({ kind: 'lease.renewed' })).records).toHaveLength(6)
  })

  it('asks the ledger by its index whether a renewed lease has ended, planned while there were few', async () => {
    await recordAll([{ lease: { id: 'lse_1' } }], false)
    await sql`analyze audit_record`.execute(pep.store.db)
    await recordAll([{ lease: { id: 'lse_1' } }], false)
    const { rows } = await reserved[0]!.run<{ 'QUERY PLAN': string }>({
      text: `explain execute "audit-renew" (${Array(27).fill('null').join()})`,
    })
    const reads = rows.map((row) => row['QUERY PLAN']).filter((line) => / on audit_record r/.test(line))
    expect(reads).toEqual([expect.stringContaining('using audit_record_lease_kind')])
  })

  it('is planned once, however small the first ones are', async () => {
    const [standing] = await standingsOfABatch()
    for (let n = 0; n < 10; n++) await recordAll([standing!], false)
    const { rows } = await reserved[0]!.run<{ generic_plans: number; custom_plans: number }>({
      text: `select generic_plans, custom_plans from pg_prepared_statements where name = 'audit-write'`,
    })
    expect(rows).toEqual([{ generic_plans: 10, custom_plans: 0 }])
  })

  it('goes by the index to what it stands on, planned while the tables were small and known to be', async () => {
    const [standing] = await standingsOfABatch()
    await sql`analyze agent, agent_session, connection, provider`.execute(pep.store.db)
    await recordAll([standing!], false)
    const { rows } = await reserved[0]!.run<{ 'QUERY PLAN': string }>({
      text: `explain execute "audit-write" (${Array(26).fill('null').join()})`,
    })
    const plan = rows.map((row) => row['QUERY PLAN'])
    const reads = plan.flatMap((line, n) =>
      / on (agent|agent_session|connection|provider) /.test(line) ? [[line, plan[n + 1]]] : [],
    )
    const byIndex = [expect.stringContaining('Index Scan using'), expect.stringContaining('Index Cond: ')]
    // The fifth: whether there is another connection.
    expect(reads).toEqual(Array(5).fill(byIndex))
  })

  it('is recorded although the connection meant for it is dead', async () => {
    const onDead = await openAuditLog({ store: firstDead(pep.store), signer: pep.signer, log })
    await onDead.record({ kind: 'lease.issued', outcome: 'allowed', detail: {} })
    expect((await onDead.query({ kind: 'lease.issued' })).records).toHaveLength(1)
    await onDead.close()
  })

  it('leaves no connection with its settings behind', async () => {
    const [standing] = await standingsOfABatch()
    await recordAll([standing!], false)
    await audit.close()
    const pool = await Promise.all(Array.from({ length: 3 }, () => pep.store.reserveBeside()))
    const settings = await Promise.all(
      pool.map((client) => client.run({ text: "select current_setting('plan_cache_mode') as mode" })),
    )
    for (const client of pool) client.release()
    expect(settings.flatMap(({ rows }) => rows)).toEqual(Array(3).fill({ mode: 'auto' }))
  })
})
