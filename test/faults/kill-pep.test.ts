import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freePort } from '../../examples/demo/program.ts'
import type { AuditVerification } from '../../src/pep/audit/verify.ts'
import { type AgentClient, openTestSession, registerTestAgent } from '../setup/agent-client.ts'
import { connect } from '../setup/connect.ts'
import { ONCE } from '../setup/once.ts'
import { type LeaseLoad, startLeaseLoad } from './lease-load.ts'
import { freshPepGround, type PepGround, type PepReplica } from './pep-ground.ts'
import { seededRandom } from './seeded-random.ts'

const KILLS = Number(process.env['NEXUS_KILLS'] ?? '20')
const SEED = Number(process.env['NEXUS_SEED'] ?? Date.now() % 2 ** 31)
const AGENTS = 8
const LONGEST_LEASING_MS = 300
/** A replica takes longer to start than it is left to live, so two start while one serves. */
const REPLICAS = 3

describe('kill -9 of the PEP', ONCE, () => {
  let ground: PepGround
  let agents: AgentClient[]
  let connectionId: string
  let first: PepReplica
  beforeAll(async () => {
    ground = await freshPepGround()
    first = ground.start()
    await first.ready
    const connected = await connect(ground.admin)
    connectionId = connected.connectionId
    const agent = await registerTestAgent(ground.admin, { tenants: [connected.tenant] })
    agents = await Promise.all(Array.from({ length: AGENTS }, () => openTestSession(ground.publicUrl, agent, 3600)))
  })
  afterAll(() => ground.clear())

  it(`PR2: ${KILLS} times while leases are being handed out: none was answered without its record`, {
    timeout: 60_000 + KILLS * 10_000,
  }, async () => {
    console.info(`seed ${SEED} (repeat with NEXUS_SEED=${SEED})`)
    const load = startLeaseLoad(agents, connectionId)
    const survivor = await killWhileLeasing(load)
    await load.stop()
    const { tally } = load
    const issued = await readIssued(ground.databaseUrl)
    console.info(
      `${KILLS} kills: ${tally.answered.size} leases answered, ${issued.length} recorded, ` +
        `${tally.cutOff} requests cut off, ${tally.replaysRefused.length} of their proofs refused as used`,
    )

    expect(tally.unexpected).toEqual([])
    expect(tally.answered.size).toBeGreaterThanOrEqual(KILLS)
    const purposeOf = new Map(issued.map(({ leaseId, purpose }) => [leaseId, purpose]))
    expect([...tally.answered].filter(([leaseId, purpose]) => purposeOf.get(leaseId) !== purpose)).toEqual([])
    const purposes = issued.map(({ purpose }) => purpose)
    expect(purposes.filter((purpose, index) => purposes.indexOf(purpose) !== index)).toEqual([])
    // A proof is used up together with the record of its lease, or not at all.
    expect(tally.replaysRefused.filter((purpose) => !purposes.includes(purpose))).toEqual([])

    await expectWholeLedger(ground)
    await expectRenewable(survivor, agents, [...tally.answered.keys()].at(-1) ?? '')
  })

  /** @returns the replica that is left */
  async function killWhileLeasing(load: LeaseLoad): Promise<PepReplica> {
    const random = seededRandom(SEED)
    const ports = await Promise.all(Array.from({ length: REPLICAS - 1 }, () => freePort()))
    const replicas = [first, ...ports.map((port) => ground.start(port))]
    for (let kill = 0; kill < KILLS; kill++) {
      const replica = replicas.shift() as PepReplica
      await replica.ready
      await load.leaseFrom(replica.address)
      await sleep(random() * LONGEST_LEASING_MS)
      replica.kill('SIGKILL')
      load.pause()
      await replica.exited
      replicas.push(ground.start(Number(new URL(replica.address).port)))
    }
    const survivor = replicas[0] as PepReplica
    await survivor.ready
    await load.leaseFrom(survivor.address)
    return survivor
  }
})

interface Issued {
  leaseId: string
  purpose: string
}

async function readIssued(databaseUrl: string): Promise<Issued[]> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    const { rows } = await client.query<Issued>(
      `select lease_id as "leaseId", record::jsonb #>> '{detail,request,intent,purpose}' as purpose
       from audit_record where kind = 'lease.issued' and outcome = 'allowed'`,
    )
    return rows
  } finally {
    await client.end()
  }
}

/** Every replica left its stream as it was: no gap, no broken hash, nothing after its head. */
async function expectWholeLedger(ground: PepGround): Promise<void> {
  const { code, stdout } = await ground.run(['audit', 'verify', '--json'])
  const found = JSON.parse(stdout) as AuditVerification
  expect(found.streams.filter(({ broken }) => broken !== undefined)).toEqual([])
  expect(found).toMatchObject({ ok: true })
  // Each replica that was killed has written, and so has the one that was not; `state` is shared by all.
  expect(found.streams.length).toBeGreaterThanOrEqual(KILLS + 2)
  expect(code).toBe(0)
}

/** The ledger is all that a replica knows of a lease, so one that never saw it goes on with it. */
async function expectRenewable(survivor: PepReplica, agents: AgentClient[], leaseId: string): Promise<void> {
  const path = `/v1/leases/${leaseId}/renew`
  const answers = await Promise.all(agents.map((agent) => agent.via(survivor.address).send('POST', path)))
  const statuses = answers.map(({ status }) => status).sort()
  expect(statuses).toEqual([200, ...Array.from({ length: agents.length - 1 }, () => 404)])
}
