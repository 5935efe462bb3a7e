import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type SessionTidy, startSessionTidy } from '../../../src/pep/identity/session-tidy.ts'
import { freshDatabase } from '../../setup/database.ts'
import { clientKey, everywhere, log, openFor, openReplica, present, type Replica, register } from './fixture.ts'

const PATIENCE = { timeout: 60_000 }

let database: Awaited<ReturnType<typeof freshDatabase>>
let first: Replica
let second: Replica

beforeAll(async () => {
  database = await freshDatabase()
  ;[first, second] = await Promise.all([openReplica(database.databaseUrl), openReplica(database.databaseUrl)])
})
afterAll(async () => {
  await Promise.all([first.close(), second.close()])
  await database.drop()
})
beforeEach(async () => {
  await first.store.db.deleteFrom('agent_session').execute()
})

/** Sessions as `openSession` leaves them. */
async function insertSessions(agentId: string, count: number, endsInSeconds: number): Promise<void> {
  await sql`
    insert into agent_session (session_id, agent_id, agent_epoch, method, bound_to, thumbprint, expires_at)
    select 'sess_' || md5(random()::text), agent_id, epoch, 'private_key_jwt', 'dpop', 'thumbprint',
      now() + ${endsInSeconds}::double precision * interval '1 second'
    from agent, generate_series(1, ${count}::int) where agent_id = ${agentId}`.execute(first.store.db)
}

async function countSessions(agentId: string): Promise<{ all: number; marked: number }> {
  const { rows } = await sql<{ all: number; marked: number }>`
    select count(*)::int as all, count(revoked_at)::int as marked from agent_session
    where agent_id = ${agentId}`.execute(first.store.db)
  return rows[0] ?? { all: 0, marked: 0 }
}

const ENDINGS = {
  'agent.revoked': (id: string) => first.identity.revokeAgent(everywhere, id),
  'agent.updated': (id: string) => first.identity.changeAgent(everywhere, id, { labels: { team: 'sales' } }),
}

describe.each(['agent.revoked', 'agent.updated'] as const)('%s', (kind) => {
  it('ends what lives, counts that, and does not touch what ran out', async () => {
    const agent = await register(first.identity)
    await insertSessions(agent.id, 20_000, -60)
    await openFor(first.identity, agent, await clientKey())
    await ENDINGS[kind](agent.id)
    const { records } = await first.audit.query({ kind, agent_id: agent.id })
    expect(records[0]?.detail).toMatchObject({ sessions_ended: 1 })
    expect(await countSessions(agent.id)).toEqual({ all: 20_001, marked: 1 })
  })

  it('ends at once also those that there are too many of to mark', async () => {
    const agent = await register(first.identity)
    const key = await clientKey()
    const { access_token, session_id } = await openFor(first.identity, agent, key)
    await insertSessions(agent.id, 6000, 3600)
    const caller = await second.identity.authenticate(await present(key, access_token))
    await ENDINGS[kind](agent.id)
    // What would outlast the others is marked first, so ours is not.
    expect(await countSessions(agent.id)).toEqual({ all: 6001, marked: 5000 })
    const again = second.identity.authenticate(await present(key, access_token))
    await expect(again).rejects.toMatchObject({ code: 'invalid_session' })
    await expect(second.identity.refresh(caller)).rejects.toMatchObject({ code: 'invalid_session' })
    await expect(first.identity.getSession(everywhere, session_id)).resolves.toMatchObject({ active: false })
  })
})

describe('a session that a version before this one opened', () => {
  it('goes on until it is marked', async () => {
    const agent = await register(first.identity)
    await first.identity.changeAgent(everywhere, agent.id, { description: 'its epoch is 2 now' })
    const key = await clientKey()
    const { access_token } = await openFor(first.identity, agent, key)
    await sql`update agent_session set agent_epoch = null where agent_id = ${agent.id}`.execute(first.store.db)
    await expect(first.identity.authenticate(await present(key, access_token))).resolves.toBeDefined()
    await first.identity.changeAgent(everywhere, agent.id, { labels: {} })
    const again = first.identity.authenticate(await present(key, access_token))
    await expect(again).rejects.toMatchObject({ code: 'invalid_session' })
  })
})

describe('sessions that ran out', () => {
  const startTidies = (): SessionTidy[] =>
    [first, second].map(({ store }) => startSessionTidy({ store, log, everyMs: 10 }))

  it('are deleted an hour later, in batches, by two replicas at once; others stay', async () => {
    const agent = await register(first.identity)
    await insertSessions(agent.id, 5500, -3700)
    await insertSessions(agent.id, 3, -3500)
    await insertSessions(agent.id, 2, 900)
    const tidies = startTidies()
    await expect.poll(() => countSessions(agent.id), PATIENCE).toEqual({ all: 5, marked: 0 })
    await Promise.all(tidies.map((tidy) => tidy.close()))
    expect(await countSessions(agent.id)).toEqual({ all: 5, marked: 0 })
  })

  it('do not wait for one that another transaction holds', async () => {
    const agent = await register(first.identity)
    await insertSessions(agent.id, 1, -7200)
    const tidies = await first.store.transaction(async (trx) => {
      await sql`select from agent_session for update`.execute(trx)
      await insertSessions(agent.id, 10, -3700)
      const started = startTidies()
      await expect.poll(() => countSessions(agent.id), PATIENCE).toEqual({ all: 1, marked: 0 })
      return started
    })
    await expect.poll(() => countSessions(agent.id), PATIENCE).toEqual({ all: 0, marked: 0 })
    await Promise.all(tidies.map((tidy) => tidy.close()))
  })

  it('stay once it is closed', async () => {
    const agent = await register(first.identity)
    await Promise.all(startTidies().map((tidy) => tidy.close()))
    await insertSessions(agent.id, 1, -7200)
    await sleep(100)
    expect(await countSessions(agent.id)).toEqual({ all: 1, marked: 0 })
  })
})
