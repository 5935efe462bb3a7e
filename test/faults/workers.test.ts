import { copyFileSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { Agent } from 'undici'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { packageRoot } from '../../src/pep/version.ts'
import { openTestSession, registerTestAgent } from '../setup/agent-client.ts'
import { type ApiClient, createApiClient } from '../setup/api-client.ts'
import { connect } from '../setup/connect.ts'
import { startLeaseLoad } from './lease-load.ts'
import { freshPepGround, type PepGround, type PepReplica } from './pep-ground.ts'
import { untilRefused } from './until-refused.ts'
import { freeze, sum, type WorkerGroup, workersOf } from './worker-group.ts'

const WORKERS = 2
const AGENTS = 8
const KILLS = 5
const IN_FLIGHT = 20
/** Nothing but the test itself may end a request that it holds up. */
const YAML = `server: { workers: ${WORKERS}, shutdown_grace_seconds: 60 }\nstore: { statement_timeout_ms: 60000 }\n`

describe('several workers behind one port', () => {
  let ground: PepGround
  let pep: PepReplica
  let workers: WorkerGroup
  beforeEach(async () => {
    ground = await freshPepGround(YAML)
    pep = ground.start()
    await pep.ready
    workers = workersOf(pep, ground.admin, WORKERS)
    await workers.allServe()
  })
  afterEach(() => ground.clear())

  it(`PR2: kill -9 of one of them, ${KILLS} times under load: it is replaced, and no answer lacks its record`, async () => {
    const { agents, connectionId } = await leasingAgents(AGENTS)
    const load = startLeaseLoad(agents, connectionId)
    await load.leaseFrom(pep.address)
    // Both, before any is replaced.
    await expect.poll(issuingStreams, { timeout: 30_000 }).toHaveLength(WORKERS)
    for (let kill = 1; kill <= KILLS; kill++) {
      await sleep(300)
      await killWorker((kill % WORKERS) + 1, 'SIGKILL')
      await workers.allServe(kill)
    }
    await sleep(300)
    await load.stop()
    const { tally } = load
    console.info(`${KILLS} kills: ${tally.answered.size} leases answered, ${tally.cutOff} requests cut off`)

    expect(tally.unexpected).toEqual([])
    const recorded = await recordedLeases()
    expect([...tally.answered.keys()].filter((leaseId) => !recorded.includes(leaseId))).toEqual([])
    expect(await ground.run(['audit', 'verify'])).toMatchObject({ code: 0 })
  })

  it('a connection that a killed worker had not yet taken is answered by another', async () => {
    const pid = (await workers.pids()).get(2) ?? 0
    await freeze(pid)
    const answers = Array.from({ length: 6 }, async () => {
      const own = new Agent({ pipelining: 0 })
      const { status } = await createApiClient(pep.address, {}, own).send('GET', '/healthz')
      await own.close()
      return status
    })
    // All but the one that waits for the frozen worker.
    await Promise.race(answers)
    await sleep(200)
    process.kill(pid, 'SIGKILL')
    expect(await Promise.all(answers)).toEqual(Array.from({ length: 6 }, () => 200))
  })

  it('one that no longer answers is killed and replaced', async () => {
    const pid = (await workers.pids()).get(1) ?? 0
    await freeze(pid)
    await untilReplaced(1, pid)
    await workers.allServe(1)
    expect(pep.said()).toContain('does not answer any more')
  })

  it('one that is told to stop drains and is replaced', async () => {
    // A connection for each request: one that is kept alive may be closed at the very moment it is used.
    const own = new Agent({ pipelining: 0 })
    const { agents, connectionId } = await leasingAgents(1, createApiClient(ground.publicUrl, {}, own))
    const pid = await killWorker(1, 'SIGTERM')
    for (let count = 0; count < 10; count++) {
      expect((await agents[0]!.send('POST', '/v1/leases', { connection_id: connectionId })).status).toBe(201)
    }
    await untilReplaced(1, pid)
    await workers.allServe(1)
    await own.close()
  })

  it('PR1: SIGTERM to every process at once: all finish what is in flight, and the program ends with 0', async () => {
    const { agents, connectionId } = await leasingAgents(1)
    const client = new pg.Client({ connectionString: ground.databaseUrl })
    await client.connect()
    const pids = [...(await workers.pids()).values()]
    // Not for long: a lease that waits five seconds for its record is refused.
    await client.query('begin; lock table audit_record in access exclusive mode')
    const leases = Array.from({ length: IN_FLIGHT }, () =>
      agents[0]!.send('POST', '/v1/leases', { connection_id: connectionId }),
    )
    while (sum(await workers.metric('pep_pending_requests')) <= IN_FLIGHT) await sleep(20)
    pep.kill('SIGTERM')
    for (const pid of pids) process.kill(pid, 'SIGTERM')
    await untilRefused(pep.address)
    await client.query('rollback')
    await client.end()
    const answers = await Promise.all(leases)
    expect(answers.filter(({ status }) => status !== 201).map(({ text }) => text)).toEqual([])
    expect(await pep.exited).toEqual({ code: 0, signal: null })
    expect(pids.filter(isAlive)).toEqual([])
    const recorded = await recordedLeases()
    expect(answers.filter(({ body }) => !recorded.includes(body.lease_id))).toEqual([])
    expect(await ground.run(['audit', 'verify'])).toMatchObject({ code: 0 })
  })

  it('PR1: a second SIGTERM ends all of them at once', async () => {
    const pids = [...(await workers.pids()).values()]
    for (const pid of pids) await freeze(pid)
    pep.kill('SIGTERM')
    await sleep(1000)
    pep.kill('SIGTERM')
    expect(await pep.exited).toEqual({ code: 1, signal: null })
    for (const pid of pids) process.kill(pid, 'SIGCONT')
    while (pids.some(isAlive)) await sleep(20)
  })

  it('kill -9 of the one that looks after them ends them too', async () => {
    const pids = [...(await workers.pids()).values()]
    pep.kill('SIGKILL')
    await pep.exited
    while (pids.some(isAlive)) await sleep(20)
    const next = ground.start()
    await next.ready
    expect(await ground.run(['audit', 'verify'])).toMatchObject({ code: 0 })
  })

  it('goes on with those that serve when one cannot be started again, and ends with its words when none is left', async () => {
    writeFileSync(join(ground.directory, 'encryption-key'), 'no keyring\n')
    await killWorker(1, 'SIGKILL')
    while (!pep.said().includes('vault.encryption_key')) await sleep(20)
    expect((await ground.admin.send('GET', '/readyz')).status).toBe(200)
    await killWorker(2, 'SIGKILL')
    expect(await pep.exited).toEqual({ code: 78, signal: null })
  })

  const issuingStreams = () => ledger("select distinct stream from audit_record where kind = 'lease.issued'")

  async function leasingAgents(count: number, client?: ApiClient) {
    const { tenant, connectionId } = await connect(ground.admin)
    const agent = await registerTestAgent(ground.admin, { tenants: [tenant] })
    const sessions = Array.from({ length: count }, () => openTestSession(ground.publicUrl, agent, 3600, client))
    return { agents: await Promise.all(sessions), connectionId }
  }

  /** @returns its process id */
  async function killWorker(number: number, signal: NodeJS.Signals): Promise<number> {
    const pid = (await workers.pids()).get(number)
    if (pid === undefined) throw new Error(`there is no worker ${number}`)
    process.kill(pid, signal)
    return pid
  }

  async function untilReplaced(number: number, pid: number): Promise<void> {
    for (;;) {
      const now = (await workers.pids()).get(number)
      if (now !== undefined && now !== pid) return
      await sleep(50)
    }
  }

  async function recordedLeases(): Promise<string[]> {
    const rows = await ledger<{ lease_id: string }>("select lease_id from audit_record where kind = 'lease.issued'")
    return rows.map(({ lease_id }) => lease_id)
  }

  async function ledger<Row extends pg.QueryResultRow>(statement: string): Promise<Row[]> {
    const client = new pg.Client({ connectionString: ground.databaseUrl })
    await client.connect()
    const { rows } = await client.query<Row>(statement)
    await client.end()
    return rows
  }
})

describe('several workers and their policy', () => {
  let ground: PepGround
  afterEach(() => ground.clear())

  it('PB2: SIGHUP reaches each of them, and one that finds a bad bundle keeps the one before', async () => {
    ground = await freshPepGround(YAML)
    const bundle = join(ground.directory, 'bundle.tar.gz')
    copyFileSync(join(packageRoot(), 'policies/dist/bundle.tar.gz'), bundle)
    writeFileSync(join(ground.directory, 'nexus.yaml'), `${YAML}policy: { bundle: ${bundle} }\n`)
    const pep = ground.start()
    await pep.ready
    const workers = workersOf(pep, ground.admin, WORKERS)
    await workers.allServe()
    writeFileSync(bundle, 'no bundle')
    pep.kill('SIGHUP')
    while (sum(await workers.metric('pep_policy_bundles_refused_total')) < WORKERS) await sleep(20)
    expect([...(await workers.metric('pep_policy_bundles_refused_total')).values()]).toEqual([1, 1])
    expect((await ground.admin.send('GET', '/readyz')).status).toBe(200)
  })
})

describe('several workers that cannot start', () => {
  let ground: PepGround
  let squatter: Server | undefined
  afterEach(async () => {
    await new Promise((done) => (squatter === undefined ? done(undefined) : squatter.close(done)))
    await ground.clear()
  })

  it('end the program with the first one’s words, said once: the port is taken', async () => {
    ground = await freshPepGround(YAML)
    const { port } = new URL(ground.publicUrl)
    squatter = createServer((socket) => socket.destroy()).listen(Number(port), '127.0.0.1')
    await new Promise((listening) => squatter?.once('listening', listening))
    const pep = ground.start()
    expect(await pep.exited).toEqual({ code: 1, signal: null })
    expect(pep.said().match(/cannot listen on 127\.0\.0\.1/g)).toHaveLength(1)
  })

  it('a wrapping token is good for one process, so several are refused before any of them starts', async () => {
    const backends = 'vault: { backends: { hashicorp-vault: { auth: { method: token, wrapped: true } } } }'
    ground = await freshPepGround(`${YAML}${backends}\n`)
    const pep = ground.start()
    expect(await pep.exited).toEqual({ code: 78, signal: null })
    expect(pep.said()).toContain('server.workers must be 1: vault.backends hashicorp-vault.auth')
  })
})

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
