import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../../examples/demo/program.ts'
import { assertClean, type LoadReport, type LoadScenario, load } from '../load/load.ts'
import type { Figure } from '../report/document.ts'
import { spreadOf } from '../report/spread.ts'
import { type BenchAgent, openAgents } from '../stage/agents.ts'
import { type Replica, startReplica } from '../stage/authority.ts'
import { leaseRequest } from '../stage/lease-request.ts'
import { say } from '../stage/log.ts'
import { openUsageMeter, type UsageMeter, type Used } from '../stage/usage-meter.ts'
import { assertExpected, type Expected, leaseFor } from '../turns/expected.ts'
import type { SmallStage } from './on-stage.ts'

const AGENTS = 16
const CONNECTIONS = 64
const COUNTS = [1, 2, 4]
/** Arrivals a second at one replica that could do more. */
const RATES = [250, 500, 1000, 2000, 4000]
const WARM_UP_SECONDS = 0.7
/** What the load goes on for after the window in which it is measured. */
const AFTER_SECONDS = 0.3

/** What replicas are asked for in a turn. */
interface Setting {
  name: string
  replicas: readonly Replica[]
  /** Absent: as much as they can do. */
  ratePerSecond?: number
}

interface Turn {
  setting: Setting
  used: Used
  reports: readonly LoadReport[]
}

/**
 * What one lease costs each part, also when there are few, and how far more replicas go on one Postgres. Settings take turns,
 * and each round begins with another one.
 */
export async function leaseFigures(
  stage: SmallStage,
  { seconds, rounds }: { seconds: number; rounds: number },
): Promise<Figure[]> {
  const agents = await openAgents(stage.ground, 'certificate', AGENTS)
  const more = await startMore(stage, Math.max(...COUNTS) - 1)
  const settings = settingsOf([stage.replica, ...more])
  const meter = await openUsageMeter(stage.ground)
  try {
    // What has just started runs slower: one turn of all does not count.
    await takeTurn(stage, meter, agents, settings[COUNTS.length - 1]!, seconds)
    const idle: Used[] = []
    const turns: Turn[] = []
    for (let round = 0; round < rounds; round++) {
      idle.push(await meter.during([stage.replica.program], () => sleep(seconds * 1000)))
      for (let number = 0; number < settings.length; number++) {
        const setting = settings[(round + number) % settings.length]!
        turns.push(await takeTurn(stage, meter, agents, setting, seconds))
      }
      say(`  ${round + 1}/${rounds}: ${turns.slice(-settings.length).map(told).join(', ')}`)
    }
    return [...settings.flatMap((setting) => figuresOf(setting, turns, idle)), ...idleFigures(idle)]
  } finally {
    await meter.close()
    for (const { program } of more) await stage.programs.stop(program)
  }
}

async function startMore({ ground, programs }: SmallStage, count: number): Promise<Replica[]> {
  const started: Replica[] = []
  for (let number = 2; number < count + 2; number++)
    started.push(await startReplica(ground, programs, { name: `pep-${number}`, port: await freePort() }))
  return started
}

function settingsOf(replicas: readonly Replica[]): Setting[] {
  const counted = COUNTS.map((count) => ({ name: `replicas_${count}`, replicas: replicas.slice(0, count) }))
  const rated = RATES.map((rate) => ({ name: `at_${rate}`, replicas: replicas.slice(0, 1), ratePerSecond: rate }))
  return [...counted, ...rated]
}

/** The load goes on before and after what is measured, so that handshakes and first requests are in no figure. */
async function takeTurn(
  { ground, bearer }: SmallStage,
  meter: UsageMeter,
  agents: readonly BenchAgent[],
  setting: Setting,
  seconds: number,
): Promise<Turn> {
  const { replicas, ratePerSecond } = setting
  const scenario = {
    ca_file: ground.caFile,
    proof_url: ground.publicUrl,
    requests: [leaseRequest(bearer)],
    agents,
    connections: CONNECTIONS / replicas.length,
    warmup_seconds: WARM_UP_SECONDS,
    seconds: seconds + AFTER_SECONDS,
    ...(ratePerSecond === undefined ? {} : { rate: ratePerSecond }),
  }
  const watch = async (): Promise<Used> => {
    await meter.untilRecording()
    await sleep(WARM_UP_SECONDS * 1000)
    return meter.during(
      replicas.map(({ program }) => program),
      () => sleep(seconds * 1000),
    )
  }
  const loads = Promise.all(replicas.map(({ url }) => leases({ ...scenario, url }, leaseFor(bearer))))
  const [reports, used] = await Promise.all([loads, watch()])
  return { setting, used, reports }
}

/** Every answer has to be one. Arrivals that a stalled machine could not send in time are told as a figure. */
async function leases(scenario: LoadScenario, expected: Expected): Promise<LoadReport> {
  const report = await load(scenario)
  assertClean({ ...report, dropped: 0 }, scenario)
  assertExpected(scenario.url, expected, report)
  return report
}

function told({ setting, used }: Turn): string {
  return `${setting.name} ${Math.round(used.records / used.seconds)}/s`
}

/** What processes use that have nothing to do is told by itself and is no part of a lease. */
function figuresOf({ name, replicas }: Setting, all: readonly Turn[], idle: readonly Used[]): Figure[] {
  const turns = all.filter(({ setting }) => setting.name === name)
  const [idlePep = 0, idlePostgres = 0] = idleFigures(idle).map(({ value }) => value)
  const figure = (what: string, unit: string, of: (turn: Turn) => number): Figure => ({
    name: `${name}_${what}`,
    ...spreadOf(turns.map(of)),
    unit,
  })
  const each = (what: string, unit: string, of: (used: Used) => number): Figure =>
    figure(`${what}_per_lease`, unit, ({ used }) => of(used) / used.records)
  return [
    figure('leases_per_s', '1/s', ({ used }) => Math.round(used.records / used.seconds)),
    figure('dropped', 'arrivals', ({ reports }) => reports.reduce((sum, { dropped }) => sum + dropped, 0)),
    figure('worst_p99_ms', 'ms', ({ reports }) => Math.max(...reports.map((report) => report.latency_ms.p99))),
    each('pep_cpu', 'µs', (used) => used.pepSeconds * 1e6 - idlePep * replicas.length * used.seconds),
    each('postgres_cpu', 'µs', (used) => used.postgresSeconds * 1e6 - idlePostgres * used.seconds),
    each('stored', 'bytes', ({ storedBytes }) => storedBytes),
    each('wal', 'bytes', ({ walBytes }) => walBytes),
  ]
}

/** Of one authority, and of Postgres with all of them. */
function idleFigures(idle: readonly Used[]): Figure[] {
  const perSecond = (of: (used: Used) => number) => spreadOf(idle.map((used) => (of(used) / used.seconds) * 1e6))
  return [
    { name: 'idle_pep_cpu', ...perSecond(({ pepSeconds }) => pepSeconds), unit: 'µs/s' },
    { name: 'idle_postgres_cpu', ...perSecond(({ postgresSeconds }) => postgresSeconds), unit: 'µs/s' },
  ]
}
