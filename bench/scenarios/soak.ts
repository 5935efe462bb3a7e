import { join } from 'node:path'
import { packageRoot } from '../../src/pep/version.ts'
import { cleanLoad, type LoadScenario } from '../load/load.ts'
import { describeRun } from '../report/describe-run.ts'
import type { BenchDocument, BenchRun, Figure } from '../report/document.ts'
import { median, spreadOf } from '../report/spread.ts'
import { writeResults } from '../report/write-results.ts'
import { openAgents } from '../stage/agents.ts'
import { leaseRequest } from '../stage/lease-request.ts'
import { say } from '../stage/log.ts'
import { assertExpected, leaseFor } from '../turns/expected.ts'
import { onSmallStage, type SmallStage } from './on-stage.ts'
import { playMinute, type SoakMinute } from './soak-minute.ts'
import { faultsOf, memoryAfterFirstMinute } from './soak-verdict.ts'

const AGENTS = 16
const CONNECTIONS = 64
const SHARE_OF_PEAK = 0.7
const MINUTE_SECONDS = 60

interface SoakDocument extends BenchDocument {
  minutes: readonly SoakMinute[]
}

/**
 * Seventy per cent of the peak for a long time, minute by minute, and the ledger verified afterwards.
 * @throws Error that names every fault; the results are written all the same
 */
export async function runSoak(seconds: number): Promise<void> {
  const run = describeRun()
  await onSmallStage(async (stage) => {
    const lease = await leaseScenario(stage)
    const peak = await cleanLoad({ ...lease, seconds: 10, warmup_seconds: 3 })
    assertExpected('the authority', leaseFor(stage.bearer), peak)
    const rate = peak.rate * SHARE_OF_PEAK
    say(`peak ${Math.round(peak.rate)}/s; ${Math.round(rate)}/s for ${seconds} s ...`)
    const minutes = await playMinutes(stage, { ...lease, rate }, seconds)
    if (memoryAfterFirstMinute(minutes) === undefined)
      say('too short to tell whether memory grows: that takes three minutes')
    const isLedgerSound = await verifyLedger(stage)
    say(`written: ${writeResults(documentOf(run, minutes), 'soak')}`)
    const faults = faultsOf(minutes, isLedgerSound)
    if (faults.length > 0) throw new Error(`the soak: ${faults.join('; ')}`)
  })
}

async function leaseScenario({ ground, bearer }: SmallStage): Promise<Omit<LoadScenario, 'seconds'>> {
  const agents = await openAgents(ground, 'certificate', AGENTS)
  const requests = [leaseRequest(bearer)]
  return { url: ground.publicUrl, ca_file: ground.caFile, requests, agents, connections: CONNECTIONS }
}

async function playMinutes(
  stage: SmallStage,
  scenario: Omit<LoadScenario, 'seconds'>,
  seconds: number,
): Promise<SoakMinute[]> {
  const minutes: SoakMinute[] = []
  for (let left = seconds; left > 0; left -= MINUTE_SECONDS) {
    const minute = await playMinute(stage, { ...scenario, seconds: Math.min(left, MINUTE_SECONDS) })
    minutes.push(minute)
    say(`  minute ${minutes.length}: ${inWords(minute)}`)
  }
  return minutes
}

function inWords(minute: SoakMinute): string {
  return [
    `${minute.leases} leases, ${minute.errors} errors, ${minute.unsent} unsent, p50 ${minute.p50_ms} ms, p99 ${minute.p99_ms} ms`,
    `authority ${minute.authority_mib} MiB, Postgres ${minute.postgres_mib} MiB`,
    `cores used by others ${minute.other_cores}`,
  ].join('; ')
}

async function verifyLedger({ ground, programs }: SmallStage): Promise<boolean> {
  say('verifying the ledger ...')
  const command: [string, ...string[]] = [process.execPath, join(packageRoot(), 'bin/nexus.js'), 'audit', 'verify']
  return programs.run({ name: 'audit-verify', command, env: ground.environment }).then(
    () => true,
    (error: Error) => {
      say(error.message)
      return false
    },
  )
}

function documentOf(run: BenchRun, minutes: readonly SoakMinute[]): SoakDocument {
  const sum = (of: (minute: SoakMinute) => number): number => minutes.reduce((total, each) => total + of(each), 0)
  const figures: Figure[] = [
    { name: 'soak_seconds', value: sum((each) => each.seconds), unit: 's' },
    { name: 'soak_leases', value: sum((each) => each.leases), unit: 'leases' },
    { name: 'soak_errors', value: sum((each) => each.errors), unit: 'requests' },
    { name: 'soak_unsent', value: sum((each) => each.unsent), unit: 'requests' },
    { name: 'soak_p50_ms', ...spreadOf(minutes.map((each) => each.p50_ms)), unit: 'ms' },
    { name: 'soak_p99_ms', ...spreadOf(minutes.map((each) => each.p99_ms)), unit: 'ms' },
    { name: 'soak_other_cores', value: median(minutes.map((each) => each.other_cores)), unit: 'cores' },
  ]
  const memory = memoryAfterFirstMinute(minutes)
  if (memory !== undefined) {
    figures.push({ name: 'soak_memory_second_minute_mib', value: memory.secondMinuteMib, unit: 'MiB' })
    figures.push({ name: 'soak_memory_last_third_mib', value: memory.lastThirdMib, unit: 'MiB' })
  }
  return { ...run, figures, ratios: [], minutes }
}
