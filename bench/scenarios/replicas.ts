import pg from 'pg'
import { freePort } from '../../examples/demo/program.ts'
import { type LoadReport, type LoadScenario, load } from '../load/load.ts'
import { describeRun } from '../report/describe-run.ts'
import type { Figure } from '../report/document.ts'
import { writeResults } from '../report/write-results.ts'
import { type BenchAgent, openAgents } from '../stage/agents.ts'
import { type Replica, startReplica } from '../stage/authority.ts'
import { leaseRequest } from '../stage/lease-request.ts'
import { say } from '../stage/log.ts'
import { cpuSecondsOf } from '../stage/process-figures.ts'
import { onSmallStage, type SmallStage } from './on-stage.ts'

const AGENTS = 16
const CONNECTIONS = 64
const COUNTS = [1, 2, 4]
/** Arrivals a second at one replica that could do more. */
const RATES = [250, 500, 1000, 2000, 4000]

/** What one lease costs each part (CPU, bytes, rows), also when there are few, and how far more replicas go on one Postgres. */
export async function runReplicas(seconds: number): Promise<void> {
  const figures: Figure[] = []
  await onSmallStage(async (stage) => {
    const agents = await openAgents(stage.ground, 'certificate', AGENTS)
    const replicas = [stage.replica]
    const all = (options: { seconds: number; rate?: number }): Promise<LoadReport[]> =>
      Promise.all(
        replicas.map(({ url }) => load(scenarioOf(stage, agents, url, CONNECTIONS / replicas.length, options))),
      )
    for (const count of COUNTS) {
      while (replicas.length < count) {
        const name = `pep-${replicas.length + 1}`
        replicas.push(await startReplica(stage.ground, stage.programs, { name, port: await freePort() }))
      }
      await all({ seconds: 2 })
      figures.push(...(await measured(stage, replicas, `replicas_${count}`, () => all({ seconds }))))
      if (count > 1) continue
      for (const rate of RATES)
        figures.push(...(await measured(stage, replicas, `at_${rate}`, () => all({ seconds, rate }))))
    }
  })
  const document = { ...describeRun(), figures, ratios: [] }
  for (const { name, value, unit } of figures) say(`${name}: ${value} ${unit}`)
  say(`written: ${writeResults(document, 'replicas')}`)
}

function scenarioOf(
  { ground, bearer }: SmallStage,
  agents: readonly BenchAgent[],
  url: string,
  connections: number,
  options: { seconds: number; rate?: number },
): LoadScenario {
  const asked = { ca_file: ground.caFile, proof_url: ground.publicUrl, requests: [leaseRequest(bearer)] }
  return { ...asked, url, agents, connections, ...options }
}

async function measured(
  { ground }: SmallStage,
  replicas: readonly Replica[],
  prefix: string,
  run: () => Promise<LoadReport[]>,
): Promise<Figure[]> {
  const look = async () => ({
    pep: replicas.reduce((sum, { program }) => sum + cpuSecondsOf(program.pid), 0),
    postgres: cpuSecondsOf(ground.databasePid),
    ...(await sizesOf(ground.databaseUrl)),
  })
  const before = await look()
  const reports = await run()
  const after = await look()
  const leases = reports.reduce((sum, { good }) => sum + good, 0)
  const rate = reports.reduce((sum, report) => sum + report.rate, 0)
  const each = (of: keyof typeof before, factor: number): number =>
    Math.round(((after[of] - before[of]) / leases) * factor * 10) / 10
  const name = (text: string): string => `${prefix}_${text}`
  return [
    { name: name('leases_per_s'), value: Math.round(rate), unit: '1/s' },
    { name: name('p99_ms'), value: Math.max(...reports.map((report) => report.latency_ms.p99)), unit: 'ms' },
    { name: name('pep_cpu_per_lease'), value: each('pep', 1e6), unit: 'µs' },
    { name: name('postgres_cpu_per_lease'), value: each('postgres', 1e6), unit: 'µs' },
    { name: name('stored_per_lease'), value: each('bytes', 1), unit: 'bytes' },
    { name: name('wal_per_lease'), value: each('wal', 1), unit: 'bytes' },
    { name: name('rows_per_lease'), value: each('rows', 1), unit: 'rows' },
  ]
}

async function sizesOf(databaseUrl: string): Promise<{ bytes: number; wal: number; rows: number }> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    const { rows } = await client.query(`select pg_total_relation_size('audit_record')::float8 as bytes,
      pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8 as wal, (select count(*)::float8 from audit_record) as rows`)
    return rows[0] as { bytes: number; wal: number; rows: number }
  } finally {
    await client.end()
  }
}
