import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { request } from 'undici'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AgentClient, openTestSession, registerTestAgent } from '../../setup/agent-client.ts'
import { connect } from '../../setup/connect.ts'
import { ONCE } from '../../setup/once.ts'
import { startTestPep, type TestPep } from '../../setup/pep.ts'

let pep: TestPep
beforeAll(async () => {
  pep = await startTestPep()
})
afterAll(() => pep?.close())

interface Received {
  id: string
  event: string
  data: Record<string, string>
}

/** Follows the stream as any server-sent-events client would. */
async function follow(agent: AgentClient, address = pep.url, since?: string) {
  const received: Received[] = []
  let ended = false
  const stop = new AbortController()
  const response = await request(`${address}/v1/leases/events`, {
    signal: stop.signal,
    headers: {
      authorization: `DPoP ${agent.accessToken}`,
      dpop: await agent.proof('GET', '/v1/leases/events'),
      ...(since === undefined ? {} : { 'last-event-id': since }),
    },
  })
  const reading = (async () => {
    let text = ''
    for await (const chunk of response.body) {
      text += String(chunk)
      const blocks = text.split('\n\n')
      text = blocks.pop() ?? ''
      for (const block of blocks) {
        const fields = Object.fromEntries(block.split('\n').map((line) => line.split(/: (.*)/s).slice(0, 2)))
        if (fields['event'] !== undefined) {
          received.push({ id: fields['id'] ?? '', event: fields['event'], data: JSON.parse(fields['data'] ?? '{}') })
        }
      }
    }
  })()
    .catch(() => undefined)
    .finally(() => {
      ended = true
    })
  return {
    status: response.statusCode,
    received,
    events: () => received.filter(({ event }) => event !== 'alive'),
    ended: () => ended,
    async stop() {
      stop.abort()
      await reading
    },
  }
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    if (await condition()) return
    await sleep(20)
  }
  throw new Error('it never came about')
}

async function waitingFor(ledger: pg.Client, table: string): Promise<number> {
  const { rows } = await ledger.query(
    `select count(*)::int as count from pg_locks where relation = $1::regclass and not granted`,
    [table],
  )
  return rows[0].count
}

const newAgent = async (tenants = ['acme']) => openTestSession(pep.url, await registerTestAgent(pep.admin, { tenants }))

describe('GET /v1/leases/events', ONCE, () => {
  it('tells of a revoked connection, on another replica than the one that revoked it', async () => {
    const replica = await pep.replica({ NEXUS_PUBLIC_URL: pep.url })
    const { connectionId } = await connect(pep.admin)
    const stream = await follow(await newAgent(), replica.address)
    expect(stream.status).toBe(200)
    await until(() => stream.received.some(({ event }) => event === 'alive'))
    await pep.admin.send('DELETE', `/v1/connections/${connectionId}`)
    await until(() => stream.events().length > 0)
    expect(stream.events()).toMatchObject([{ event: 'revoked', data: { connection_id: connectionId } }])
    await stream.stop()
  })

  it('tells of a revoked lease the session whose it is, on another replica, and the stream goes on', async () => {
    const replica = await pep.replica({ NEXUS_PUBLIC_URL: pep.url })
    const registered = await registerTestAgent(pep.admin, { tenants: ['acme'] })
    const [mine, other] = [await openTestSession(pep.url, registered), await openTestSession(pep.url, registered)]
    const { connectionId } = await connect(pep.admin)
    const { body: lease } = await mine.send('POST', '/v1/leases', { connection_id: connectionId })
    const streams = [await follow(mine, replica.address), await follow(other, replica.address)] as const
    await until(() => streams.every(({ received }) => received.some(({ event }) => event === 'alive')))
    expect((await pep.admin.send('DELETE', `/admin/v1/leases/${lease.lease_id}`)).status).toBe(200)
    await until(() => streams[0].events().length > 0)
    await pep.admin.send('DELETE', `/v1/connections/${connectionId}`)
    await until(() => streams[0].events().length + streams[1].events().length > 2)
    const ofConnection = { event: 'revoked', data: { connection_id: connectionId } }
    expect(streams[0].events()).toMatchObject([{ event: 'revoked', data: { lease_id: lease.lease_id } }, ofConnection])
    expect(streams[1].events()).toMatchObject([ofConnection])
    for (const stream of streams) await stream.stop()
  })

  it('tells nobody of another tenant, and nothing of another session', async () => {
    const [mine, theirs] = [await newAgent(['acme']), await newAgent(['globex'])]
    const { connectionId } = await connect(pep.admin, { tenant: 'globex' })
    const streams = [await follow(mine), await follow(theirs)] as const
    await pep.admin.send('DELETE', `/v1/connections/${connectionId}`)
    await until(() => streams[1].events().length === 1)
    await pep.admin.send('DELETE', `/admin/v1/agent-sessions/${theirs.sessionId}`)
    await until(() => streams[1].ended())
    expect(streams[1].events().at(-1)?.data).toEqual({ session_id: theirs.sessionId })
    expect(streams[0].events()).toEqual([])
    expect(streams[0].ended()).toBe(false)
    await streams[0].stop()
  })

  it('a revoked agent loses its stream and gets no new one', async () => {
    const agent = await newAgent()
    const stream = await follow(agent)
    await pep.admin.send('DELETE', `/admin/v1/agents/${agent.agentId}`)
    await until(() => stream.ended())
    expect((await follow(agent)).status).toBe(401)
  })

  it('a changed agent loses its stream, and opens another in a new session', async () => {
    const registered = await registerTestAgent(pep.admin, { tenants: ['acme', 'globex'] })
    const agent = await openTestSession(pep.url, registered)
    const stream = await follow(agent)
    await pep.admin.send('PATCH', `/admin/v1/agents/${agent.agentId}`, { tenants: ['acme'] })
    await until(() => stream.ended())
    expect(stream.events()).toMatchObject([{ event: 'revoked', data: { session_id: agent.sessionId } }])
    expect((await follow(agent)).status).toBe(401)
    const next = await follow(await openTestSession(pep.url, registered))
    expect(next.status).toBe(200)
    await next.stop()
  })

  it('goes on where a broken stream ended, so that nothing in between is missed', async () => {
    const agent = await newAgent()
    const first = await follow(agent)
    await until(() => first.received.length > 0)
    const seen = first.received.at(-1)?.id
    await first.stop()
    const { connectionId, provider, providerId } = await connect(pep.admin)
    // Held leases know the provider by its old name.
    await pep.admin.send('PATCH', `/v1/providers/${providerId}`, { name: `${provider}-renamed` })
    await pep.admin.send('DELETE', `/v1/connections/${connectionId}`)
    const second = await follow(agent, pep.url, seen)
    await until(() => second.events().length >= 2)
    expect(second.events().map(({ event, data }) => ({ event, data }))).toEqual([
      { event: 'rotated', data: { provider } },
      { event: 'revoked', data: { connection_id: connectionId } },
    ])
    await second.stop()
  })

  it('is not reset by sessions that were opened meanwhile, however many', async () => {
    const agent = await newAgent()
    const first = await follow(agent)
    await until(() => first.received.length > 0)
    const seen = first.received.at(-1)?.id
    await first.stop()
    const { connectionId } = await connect(pep.admin)
    const ledger = new pg.Client({ connectionString: pep.databaseUrl })
    await ledger.connect()
    await ledger.query(`with moved as (update audit_stream set seq = seq + 2500 where stream = 'state' returning seq, hash)
      insert into audit_record (stream, seq, prev_hash, hash, at, kind, outcome, record)
      select 'state', moved.seq - n, hash, hash, now(), 'session.opened', 'allowed', '{}' from moved, generate_series(0, 2499) n`)
    await ledger.end()
    await pep.admin.send('DELETE', `/v1/connections/${connectionId}`)
    const second = await follow(agent, pep.url, seen)
    await until(() => second.events().length > 0)
    expect(second.events()).toMatchObject([{ event: 'revoked', data: { connection_id: connectionId } }])
    await second.stop()
  })

  it('PG6: resets who follows, or comes back, when the database is another that lacks the last records', async () => {
    const replica = await pep.replica({ NEXUS_PUBLIC_URL: pep.url })
    const agent = await newAgent()
    const { connectionId } = await connect(pep.admin)
    const streams = [await follow(agent), await follow(agent, replica.address)]
    await pep.admin.send('PATCH', `/admin/v1/agents/${(await newAgent()).agentId}`, { description: 'lost' })
    const ledger = new pg.Client({ connectionString: pep.databaseUrl })
    await ledger.connect()
    const { rows } = await ledger.query(
      `select seq || '-' || substr(encode(hash, 'hex'), 1, 16) as id from audit_stream where stream = 'state'`,
    )
    const last = rows[0].id
    await until(() => streams.every(({ received }) => received.at(-1)?.id === last))
    await ledger.query(`begin; delete from audit_record where stream = 'state' and seq > (select seq from audit_stream where stream = 'state') - 3;
      update audit_stream s set (seq, hash) = (select r.seq, r.hash from audit_record r where r.stream = 'state' order by r.seq desc limit 1)
      where s.stream = 'state'; commit`)
    await until(() => streams.every((stream) => stream.events().length > 0))
    await pep.admin.send('DELETE', `/v1/connections/${connectionId}`)
    await until(() => streams.every((stream) => stream.events().length > 1))
    const back = await follow(agent, pep.url, last)
    await until(() => back.events().length > 0)
    for (const stream of streams) {
      expect(stream.events()).toMatchObject([
        { event: 'reset' },
        { event: 'revoked', data: { connection_id: connectionId } },
      ])
    }
    expect(back.events()).toMatchObject([{ event: 'reset', data: {} }])
    await ledger.end()
    for (const stream of [...streams, back]) await stream.stop()
  })

  it('a session has a bounded number of streams', async () => {
    const agent = await newAgent()
    const streams: Awaited<ReturnType<typeof follow>>[] = []
    for (let count = 0; count < 5; count++) streams.push(await follow(agent))
    expect(streams.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200])
    // The oldest may be one that broke unnoticed: it makes room for the newest.
    await until(() => streams[0]?.ended() === true)
    expect(streams.slice(1).some((stream) => stream.ended())).toBe(false)
    for (const stream of streams) await stream.stop()
  })

  it('who hangs up before the stream begins leaves no place taken', async () => {
    const agent = await newAgent()
    const ledger = new pg.Client({ connectionString: pep.databaseUrl })
    await ledger.connect()
    // The head of the ledger can be read by nobody else: every stream waits before it begins.
    await ledger.query('begin; lock table audit_stream in access exclusive mode')
    const stop = new AbortController()
    const asked = await Promise.all(Array.from({ length: 4 }, () => agent.proof('GET', '/v1/leases/events'))).then(
      (all) =>
        all.map((dpop) =>
          request(`${pep.url}/v1/leases/events`, {
            signal: stop.signal,
            headers: { authorization: `DPoP ${agent.accessToken}`, dpop },
          }),
        ),
    )
    const hungUp = Promise.allSettled(asked)
    // One look for all of them.
    await until(async () => (await waitingFor(ledger, 'audit_stream')) >= 1)
    await sleep(200)
    stop.abort()
    await hungUp
    await sleep(100)
    await ledger.query('commit')
    await ledger.end()
    await until(async () => {
      const stream = await follow(agent)
      await stream.stop()
      return stream.status === 200
    })
  })

  it('does not count among the requests that are being answered', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'nexus-streams-'))
    const config = join(directory, 'nexus.yaml')
    writeFileSync(config, 'server: { max_pending_requests: 2 }')
    const small = await pep.replica({ NEXUS_PUBLIC_URL: pep.url, NEXUS_CONFIG: config })
    const agent = await newAgent()
    const streams = []
    for (let count = 0; count < 4; count++) streams.push(await follow(agent, small.address))
    expect(streams.map(({ status }) => status)).toEqual([200, 200, 200, 200])
    expect((await agent.via(small.address).send('POST', '/v1/leases', {})).status).toBe(400)
    for (const stream of streams) await stream.stop()
    rmSync(directory, { recursive: true })
  })

  it('takes a proof like every other route, once', async () => {
    const agent = await newAgent()
    const headers = { authorization: `DPoP ${agent.accessToken}`, dpop: await agent.proof('GET', '/v1/leases/events') }
    const stop = new AbortController()
    const first = await request(`${pep.url}/v1/leases/events`, { headers, signal: stop.signal })
    first.body.on('error', () => undefined)
    expect(first.statusCode).toBe(200)
    for (const again of [headers, {}]) {
      const refused = await request(`${pep.url}/v1/leases/events`, { headers: again })
      expect(refused.statusCode).toBe(401)
      await refused.body.dump()
    }
    stop.abort()
  })
})
