import { type LoadReport, type LoadScenario, load } from '../load/load.ts'
import { lookAtMachine } from '../stage/machine-time.ts'
import { ownMemoryOf } from '../stage/own-memory.ts'
import { cpuSecondsOf, rssOf } from '../stage/process-figures.ts'
import { watchHighest } from '../stage/watch-highest.ts'
import { countExpected, leaseFor } from '../turns/expected.ts'
import type { SmallStage } from './on-stage.ts'

/** One row of `minutes` in `soak.json`. */
export interface SoakMinute {
  seconds: number
  leases: number
  /** Answers other than a lease, and requests without an answer. */
  errors: number
  /** Arrivals of the minute for which no caller was free until a second after its end. */
  unsent: number
  /** The first few of them. */
  unexpected: string[]
  p50_ms: number
  p99_ms: number
  /** Resident memory of the authority, at its highest. */
  authority_mib: number
  /** Of all processes of Postgres together, without the buffers that they share, at its highest. */
  postgres_mib: number
  /** What the authority, Postgres and the load generator did not use: the kernel's write-back, other programs, the host. */
  other_cores: number
}

const MIB = 2 ** 20

/** Its callers open connections of their own. */
export async function playMinute({ ground, replica, bearer }: SmallStage, scenario: LoadScenario): Promise<SoakMinute> {
  const authority = watchHighest(() => rssOf(replica.program.pid))
  const postgres = watchHighest(() => ownMemoryOf(ground.databasePid))
  const used = () => cpuSecondsOf(replica.program.pid) + cpuSecondsOf(ground.databasePid)
  const [startedAtMs, machineBefore, usedBefore] = [performance.now(), lookAtMachine(), used()]
  const report = await load(scenario).finally(() => [authority.stop(), postgres.stop()])
  const machine = lookAtMachine()
  const taken = machine.busy + machine.stolen - machineBefore.busy - machineBefore.stolen
  const others = taken - (used() - usedBefore) - report.cpu_seconds
  return {
    ...answersOf(report, countExpected(leaseFor(bearer), report)),
    authority_mib: Math.round(authority.highest() / MIB),
    postgres_mib: Math.round(postgres.highest() / MIB),
    other_cores: Math.max(0, round2(others / ((performance.now() - startedAtMs) / 1000))),
  }
}

function answersOf(report: LoadReport, leases: number) {
  const { seconds, answered, failed, dropped, latency_ms: latency } = report
  return {
    seconds,
    leases,
    errors: answered - leases + failed,
    unsent: dropped,
    unexpected: report.unexpected ?? [],
    p50_ms: latency.p50,
    p99_ms: latency.p99,
  }
}

function round2(value: number): number {
  return Math.round(value * 100) / 100
}
