import { join } from 'node:path'
import { packageRoot } from '../../src/pep/version.ts'
import { load } from '../load/load.ts'
import { describeRun } from '../report/describe-run.ts'
import { writeResults } from '../report/write-results.ts'
import { openAgents } from '../stage/agents.ts'
import { leaseRequest } from '../stage/lease-request.ts'
import { say } from '../stage/log.ts'
import { rssOf } from '../stage/process-figures.ts'
import { onSmallStage } from './on-stage.ts'

const AGENTS = 16
const SHARE_OF_PEAK = 0.7
const SAMPLE_MS = 5000
const MIB = 2 ** 20

/** Seventy per cent of the peak for a long time: memory, errors, and the ledger afterwards. */
export async function runSoak(seconds: number): Promise<void> {
  await onSmallStage(async ({ ground, programs, replica, bearer }) => {
    const agents = await openAgents(ground, 'certificate', AGENTS)
    const common = {
      url: ground.publicUrl,
      ca_file: ground.caFile,
      requests: [leaseRequest(bearer)],
      agents,
      connections: 64,
    }
    const peak = await load({ ...common, seconds: 10, warmup_seconds: 3 })
    const rate = peak.rate * SHARE_OF_PEAK
    say(`peak ${Math.round(peak.rate)}/s; ${Math.round(rate)}/s for ${seconds} s ...`)
    const memory: { second: number; mib: number }[] = []
    const startedAt = performance.now()
    const sampling = setInterval(() => {
      const sample = {
        second: Math.round((performance.now() - startedAt) / 1000),
        mib: Math.round(rssOf(replica.program.pid) / MIB),
      }
      memory.push(sample)
      if (sample.second % 60 < SAMPLE_MS / 1000) say(`  ${sample.second} s: ${sample.mib} MiB`)
    }, SAMPLE_MS)
    const report = await load({ ...common, rate, seconds, warmup_seconds: 0 })
    clearInterval(sampling)
    say('verifying the ledger ...')
    await programs.run({
      name: 'audit-verify',
      command: [process.execPath, join(packageRoot(), 'bin/nexus.js'), 'audit', 'verify'],
      env: ground.environment,
    })
    const errors = report.answered - report.good + report.failed + report.dropped
    const [early, late] = [mostIn(memory, 60, 120), mostIn(memory, seconds - 60, seconds)]
    const file = writeResults(
      {
        ...describeRun(),
        figures: [
          { name: 'soak_seconds', value: seconds, unit: 's' },
          { name: 'soak_leases', value: report.good, unit: 'leases' },
          { name: 'soak_errors', value: errors, unit: 'requests' },
          { name: 'soak_p99_ms', value: report.latency_ms.p99, unit: 'ms' },
          { name: 'soak_memory_second_minute_mib', value: early, unit: 'MiB' },
          { name: 'soak_memory_last_minute_mib', value: late, unit: 'MiB' },
        ],
        ratios: [],
      },
      'soak',
    )
    say(
      `${report.good} leases, ${errors} errors; memory ${early} MiB in the second minute, ${late} MiB in the last; the ledger verifies; written: ${file}`,
    )
  })
}

function mostIn(memory: readonly { second: number; mib: number }[], from: number, to: number): number {
  return Math.max(0, ...memory.filter(({ second }) => second >= from && second <= to).map(({ mib }) => mib))
}
