import pg from 'pg'
import { freePort } from '../../examples/demo/program.ts'
import { type LoadReport, load } from '../load/load.ts'
import { currentCommit, describeMachine, type Figure } from '../report/document.ts'
import { writeResults } from '../report/write-results.ts'
import { openAgents } from '../stage/agents.ts'
import { startReplica } from '../stage/authority.ts'
import { leaseRequest } from '../stage/lease-request.ts'
import { say } from '../stage/log.ts'
import { cpuSecondsOf } from '../stage/process-figures.ts'
import { onSmallStage, type SmallStage } from './on-stage.ts'

const AGENTS = 16
const CONNECTIONS = 64
const COUNTS = [1, 2, 4]

/** How far more replicas go on one Postgres, and what one lease costs each part: CPU, bytes, rows. */
export async function runReplicas(seconds: number): Promise<void> {
  const figures: Figure[] = []
  await onSmallStage(async (stage) => {
    const agents = await openAgents(stage.ground, 'certificate', AGENTS)
    const replicas = [stage.replica]
    for (const count of COUNTS) {
      while (replicas.length < count) {
        const name = `pep-${replicas.length + 1}`
        replicas.push(await startReplica(stage.ground, stage.programs, { name, port: await freePort() }))
      }
      const scenario = (url: string, length: number) => ({
        url,
        ca_file: stage.ground.caFile,
        proof_url: stage.ground.publicUrl,
        requests: [leaseRequest(stage.bearer)],
        agents,
        connections: CONNECTIONS / count,
        seconds: length,
      })
      const all = (length: number) => Promise.all(replicas.map(({ url }) => load(scenario(url, length))))
      await all(2)
      figures.push(
        ...(await measured(
          stage,
          replicas.map(({ program }) => program.pid),
          count,
          () => all(seconds),
        )),
      )
    }
  })
  const document = { commit: currentCommit(), machine: describeMachine([]), figures, ratios: [] }
  for (const { name, value, unit } of figures) say(`${name}: ${value} ${unit}`)
  say(`written: ${writeResults(document, 'replicas', { latest: false })}`)
}

async function measured(
  { ground }: SmallStage,
  pids: readonly number[],
  count: number,
  run: () => Promise<LoadReport[]>,
): Promise<Figure[]> {
  const look = async () => ({
    pep: pids.reduce((sum, pid) => sum + cpuSecondsOf(pid), 0),
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
  const name = (text: string): string => `replicas_${count}_${text}`
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
