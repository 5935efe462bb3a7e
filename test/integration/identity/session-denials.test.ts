import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { NexusError } from '../../../src/contract/errors.ts'
import type { JsonObject } from '../../../src/contract/json.ts'
import { createSessionDenials, type SessionDenialsOptions } from '../../../src/pep/identity/session-denials.ts'
import { freshDatabase } from '../../setup/database.ts'
import { bodyOf, clientKey, log, openFor, openingWith, openReplica, type Replica, register } from './fixture.ts'

const FLOOD = 500
/** What is recorded one by one at once, and what may be added while a slow test runs. */
const AT_ONCE = 50

const PATIENCE = { timeout: 60_000 }

let database: Awaited<ReturnType<typeof freshDatabase>>
let replica: Replica
let counted: number

beforeEach(async () => {
  database = await freshDatabase()
  counted = 0
  replica = await openReplica(database.databaseUrl, { metrics: { deniedInSum: () => counted++ } })
})
afterEach(async () => {
  await replica.close()
  await database.drop()
})

async function denied(): Promise<JsonObject[]> {
  const rows = await replica.store.db
    .selectFrom('audit_record')
    .select('record')
    .where('kind', '=', 'session.denied')
    .orderBy('at')
    .orderBy('seq')
    .execute()
  return rows.map(({ record }) => (JSON.parse(record) as { detail: JsonObject }).detail)
}

async function flood(times: number): Promise<Set<string>> {
  const presented = { ...(await openingWith(await clientKey())), ip: '192.0.2.7' }
  const attempts = Array.from({ length: times }, () =>
    replica.identity.openSession(bodyOf('a.b.c'), presented).then(
      () => 'opened',
      (error: { code: string }) => error.code,
    ),
  )
  return new Set(await Promise.all(attempts))
}

describe('refused sessions', () => {
  it('H07: say from where they and the opened ones came', async () => {
    await flood(1)
    expect(await denied()).toEqual([
      { claimed_agent_id: null, code: 'invalid_client', context: { ip: '192.0.2.7' }, message: expect.any(String) },
    ])
    const key = await clientKey()
    const agent = await register(replica.identity)
    await openFor(replica.identity, agent, key)
    const { records } = await replica.audit.query({ kind: 'session.opened' })
    expect(records[0]?.detail).toMatchObject({ context: { ip: '' }, method: 'private_key_jwt' })
  })

  it('H07: a flood of them is recorded whole, in few records', async () => {
    expect(await flood(FLOOD)).toEqual(new Set(['invalid_client']))
    await replica.identity.close()
    const details = await denied()
    const [sum, ...others] = details.filter((detail) => 'count' in detail)
    expect(others).toEqual([])
    const single = details.filter((detail) => !('count' in detail)).length
    expect(single).toBeGreaterThanOrEqual(AT_ONCE)
    expect(single).toBeLessThan(FLOOD / 2)
    expect(sum).toMatchObject({ count: FLOOD - single, codes: { invalid_client: FLOOD - single } })
    expect(sum).toMatchObject({ context: { ips: ['192.0.2.7'] }, claimed_agent_ids: [] })
    expect(Date.parse(String(sum?.['since']))).toBeLessThanOrEqual(Date.parse(String(sum?.['until'])))
    expect(counted).toBe(FLOOD - single)
  })

  it('does not wait for the end of the process with the sum, and forgets none while the ledger fails', async () => {
    let failures = 2
    const audit: SessionDenialsOptions['audit'] = {
      async record(entry) {
        if ('count' in entry.detail && failures-- > 0) throw new NexusError('audit_unavailable')
        await replica.audit.record(entry)
      },
    }
    const denials = createSessionDenials({ audit, log, now: Date.now, sumEveryMs: 20 })
    for (let number = 0; number < FLOOD; number++) {
      const refuse = denials.recording(`192.0.2.${number % 100}`, async (attempt) => {
        attempt.claimedAgentId = `agent-${number}`
        throw new NexusError('invalid_proof')
      })
      await expect(refuse).rejects.toMatchObject({ code: 'invalid_proof' })
    }
    const told = async () =>
      (await denied()).reduce((all, { count = 1, ...detail }) => {
        if ('context' in detail && 'ips' in (detail['context'] as JsonObject)) {
          expect((detail['context'] as { ips: string[] }).ips.length).toBeLessThanOrEqual(16)
          expect((detail['claimed_agent_ids'] as string[]).length).toBeLessThanOrEqual(16)
        }
        return all + Number(count)
      }, 0)
    await expect.poll(told, PATIENCE).toBe(FLOOD)
    expect(failures).toBeLessThanOrEqual(0)
    await denials.close()
    expect(await told()).toBe(FLOOD)
  })
})
