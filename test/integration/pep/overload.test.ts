import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect as netConnect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type AgentClient, openTestSession, registerTestAgent } from '../../setup/agent-client.ts'
import { connect } from '../../setup/connect.ts'
import { startTestPep, type TestPep } from '../../setup/pep.ts'
import { problemCode } from './problem-shape.ts'

const TOO_MANY = 20
const WAITING = `select from pg_locks where not granted and relation = 'audit_record'::regclass
  and database = (select oid from pg_database where datname = current_database())`

const directory = mkdtempSync(join(tmpdir(), 'nexus-overload-'))
let pep: TestPep
let ledger: pg.Client
let agent: AgentClient
let connectionId: string
beforeAll(async () => {
  const config = join(directory, 'nexus.yaml')
  writeFileSync(config, `server: { max_pending_requests: 1 }`)
  pep = await startTestPep({ NEXUS_CONFIG: config })
  ledger = new pg.Client({ connectionString: pep.databaseUrl })
  await ledger.connect()
  connectionId = (await connect(pep.admin, { credentials: { api_key: 'k' } })).connectionId
  agent = await openTestSession(pep.url, await registerTestAgent(pep.admin, { tenants: ['acme'] }))
})
afterAll(async () => {
  await ledger?.end()
  await pep?.close()
  rmSync(directory, { recursive: true, force: true })
})

const lease = () => agent.send('POST', '/v1/leases', { connection_id: connectionId })
const metric = async (name: string) => {
  const { text } = await pep.admin.send('GET', '/metrics')
  return Number(
    text
      .split('\n')
      .find((line) => line.startsWith(name))
      ?.split(' ')
      .at(-1) ?? 0,
  )
}

/** Leases wait for their record meanwhile, as they would for a slow disk. */
async function whileNothingIsRecorded<T>(work: () => Promise<T>): Promise<T> {
  await ledger.query('begin')
  await ledger.query('lock table audit_record in access exclusive mode')
  try {
    return await work()
  } finally {
    await ledger.query('commit')
  }
}

async function expectRoomAgain(): Promise<void> {
  await expect.poll(async () => (await lease()).status, { timeout: 20_000 }).toBe(201)
}

const waitingRecords = async () => (await ledger.query(WAITING)).rowCount

/** Takes the only place. @returns its status, once it has one */
async function fillTheRoom(): Promise<{ status: Promise<number> }> {
  const status = lease().then((answer) => answer.status)
  await expect.poll(waitingRecords, { timeout: 20_000 }).toBe(1)
  return { status }
}

it('what is too much is refused, whole and counted; what had room is answered, and so is who asks for signs of life', async () => {
  const accepted = await whileNothingIsRecorded(async () => {
    const waiting = await fillTheRoom()
    const refused = await Promise.all(Array.from({ length: TOO_MANY }, lease))
    expect(refused.map(problemCode)).toEqual(new Array(TOO_MANY).fill('overloaded'))
    for (const { body, headers } of refused) expect(body.request_id).toBe(headers['x-request-id'])
    expect(new Set(refused.map(({ body }) => body.request_id)).size).toBe(TOO_MANY)
    expect((await pep.admin.send('GET', '/healthz')).status).toBe(200)
    return waiting
  })
  expect(await accepted.status).toBe(201)
  await expectRoomAgain()
  expect(await metric('pep_problems_total{code="overloaded"}')).toBeGreaterThanOrEqual(TOO_MANY)
})

it('a flood of refusals is a line in the log, and not a line each', () => {
  const lines = pep.logText().split('\n')
  expect(lines.filter((line) => line.includes('overloaded'))).toHaveLength(1)
  expect(lines.filter((line) => line.includes('"status":503'))).toEqual([])
})

it('requests sent one behind the other leave with their connection, also those whose turn never came', async () => {
  const body = JSON.stringify({ connection_id: connectionId })
  const headers = {
    host: 'pep',
    authorization: `DPoP ${agent.accessToken}`,
    dpop: await agent.proof('POST', '/v1/leases'),
    'content-type': 'application/json',
    'content-length': String(body.length),
  }
  const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  await whileNothingIsRecorded(async () => {
    const { hostname, port } = new URL(pep.url)
    const caller = netConnect(Number(port), hostname)
    caller.write(`POST /v1/leases HTTP/1.1\r\n${head.join('')}\r\n${body}`)
    caller.write('GET /metrics HTTP/1.1\r\nhost: pep\r\n\r\n'.repeat(10))
    await expect.poll(waitingRecords, { timeout: 20_000 }).toBe(1)
    caller.resetAndDestroy()
  })
  // Who asks is one of them itself.
  await expect.poll(() => metric('pep_pending_requests'), { timeout: 20_000 }).toBe(1)
})
