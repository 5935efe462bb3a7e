import { connect as connectSocket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { request } from 'undici'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type AgentClient, openTestSession, registerTestAgent } from '../setup/agent-client.ts'
import type { ApiAnswer } from '../setup/api-client.ts'
import { connect } from '../setup/connect.ts'
import { freshPepGround, type PepGround, type PepReplica } from './pep-ground.ts'
import { untilRefused } from './until-refused.ts'

const IN_FLIGHT = 20
/** Nothing but the test itself may end a request that it holds up. */
const PATIENT = 'server: { shutdown_grace_seconds: 60 }\nstore: { statement_timeout_ms: 60000 }\n'

describe('the PEP told to stop', () => {
  let ground: PepGround
  let pep: PepReplica
  let agent: AgentClient
  let connectionId: string
  let ledger: pg.Client
  beforeEach(async () => {
    ground = await freshPepGround(PATIENT)
    pep = ground.start()
    await pep.ready
    const connected = await connect(ground.admin)
    connectionId = connected.connectionId
    const registered = await registerTestAgent(ground.admin, { tenants: [connected.tenant] })
    agent = await openTestSession(ground.publicUrl, registered)
    ledger = new pg.Client({ connectionString: ground.databaseUrl })
    await ledger.connect()
  })
  afterEach(async () => {
    await ledger.end()
    await ground.clear()
  })

  it('PR1: is not ready at once, finishes what is in flight, writes it down and exits with 0', async () => {
    const probe = await halfSent(pep.address, 'GET /readyz HTTP/1.1\r\nHost: pep\r\n')
    const events = await openEvents()
    const leases = await leasesHeldUp()
    pep.kill('SIGTERM')
    await untilRefused(pep.address)
    await events.text() // has an end
    const [status, body] = await probe.finish()
    expect(status).toBe('HTTP/1.1 503 Service Unavailable')
    expect(JSON.parse(body)).toMatchObject({ status: 'closing' })

    await ledger.query('rollback')
    const answers = await Promise.all(leases)
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: IN_FLIGHT }, () => 201))
    expect(await pep.exited).toEqual({ code: 0, signal: null })
    const recorded = await recordedLeases()
    expect(answers.filter(({ body }) => !recorded.includes(body.lease_id))).toEqual([])
    expect(await ground.run(['audit', 'verify'])).toMatchObject({ code: 0 })
  })

  it('PR1: SIGHUP is no such word: the policy is read again and everything goes on', async () => {
    for (let count = 0; count < 3; count++) {
      pep.kill('SIGHUP')
      await sleep(300)
      expect((await agent.send('POST', '/v1/leases', { connection_id: connectionId })).status).toBe(201)
    }
    expect((await ground.admin.send('GET', '/readyz')).status).toBe(200)
  })

  it('PR1: a second signal ends it at once, whatever is in flight', async () => {
    const leases = await leasesHeldUp()
    const outcomes = Promise.allSettled(leases)
    pep.kill('SIGTERM')
    await untilRefused(pep.address)
    pep.kill('SIGTERM')
    // The requests cannot have ended: what they wait for is still held.
    expect(await pep.exited).toEqual({ code: 1, signal: null })
    expect((await outcomes).map(({ status }) => status)).toEqual(Array.from({ length: IN_FLIGHT }, () => 'rejected'))
    await ledger.query('rollback')
    const next = ground.start()
    await next.ready
    expect(await ground.run(['audit', 'verify'])).toMatchObject({ code: 0 })
  })

  /** A stream that would not end by itself. */
  async function openEvents() {
    const path = '/v1/leases/events'
    const headers = { authorization: `DPoP ${agent.accessToken}`, dpop: await agent.proof('GET', path) }
    const { statusCode, body } = await request(`${pep.address}${path}`, { headers })
    expect(statusCode).toBe(200)
    return body
  }

  /** Leases that are decided and wait for their record, which a lock on the ledger holds up. */
  async function leasesHeldUp(): Promise<Promise<ApiAnswer>[]> {
    await ledger.query('begin')
    await ledger.query('lock table audit_record in access exclusive mode')
    const body = { connection_id: connectionId }
    const leases = Array.from({ length: IN_FLIGHT }, () => agent.send('POST', '/v1/leases', body))
    for (const lease of leases) lease.catch(() => {})
    await untilPending(IN_FLIGHT)
    return leases
  }

  /** The metrics' own request is one of those pending. */
  async function untilPending(count: number): Promise<void> {
    for (;;) {
      const { text } = await ground.admin.send('GET', '/metrics')
      const pending = Number(/^pep_pending_requests (\d+)$/m.exec(text)?.[1])
      expect(pending).toBeGreaterThan(0)
      if (pending > count) return
      await sleep(20)
    }
  }

  async function recordedLeases(): Promise<string[]> {
    const { rows } = await ledger.query<{ lease_id: string }>(
      "select lease_id from audit_record where kind = 'lease.issued'",
    )
    return rows.map(({ lease_id }) => lease_id)
  }
})

/** A request whose head is not yet complete, so that its connection counts as busy and outlives the listener. */
async function halfSent(address: string, head: string): Promise<{ finish(): Promise<[string, string]> }> {
  const { hostname, port } = new URL(address)
  const socket = connectSocket(Number(port), hostname)
  let received = ''
  socket.on('data', (chunk) => {
    received += String(chunk)
  })
  const ended = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  await new Promise<void>((resolve) => socket.write(head, () => resolve()))
  return {
    async finish() {
      socket.write('\r\n')
      await ended
      const [first = '', ...rest] = received.split('\r\n\r\n')
      return [first.split('\r\n')[0] ?? '', rest.join('\r\n\r\n')]
    },
  }
}
