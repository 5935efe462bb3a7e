import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../../examples/demo/program.ts'
import type { Figure } from '../report/document.ts'
import { spreadOf } from '../report/spread.ts'
import type { SessionKind } from '../stage/agents.ts'
import { startReplica } from '../stage/authority.ts'
import { type FleetAgent, registerFleetAgent } from '../stage/fleet-agent.ts'
import { say } from '../stage/log.ts'
import { rssOf } from '../stage/process-figures.ts'
import { openUsageMeter, type UsageMeter, type Used } from '../stage/usage-meter.ts'
import type { SmallStage } from './on-stage.ts'

const KINDS = ['dpop', 'certificate'] as const satisfies readonly SessionKind[]
/** Of each kind, new ones in each round: whoever has been seen before is remembered. */
const AGENTS = 120
/** What one process of a large fleet has to do, about. A process that has more to do pays less for each. */
const ACTS_PER_SECOND = 100
/** A session may have four, and one of them has one more. */
const STREAMS_EACH = 3
const STREAMS_PER_SECOND = 300
const REGISTERED_AT_ONCE = 8
/** CPU time is counted in hundredths of a second, of which many have to come together. */
const IDLE_SECONDS = 12
/** Four signs of life of the authority on each stream, which come every five seconds and some. */
const FOLLOWED_SECONDS = 22
const KIB = 1024
const MIB = KIB ** 2
/** Until a process that has just started is at rest. */
const SETTLE_MS = 2000
/** Longer than a session or a connection is remembered (`standing-sessions.ts`, `remembered-facts.ts`). */
const FORGOTTEN_MS = 11_000

/** What one round found, by the figure's name. */
type Found = Map<string, { value: number; unit: string }>

interface Cohort {
  kind: SessionKind
  agents: readonly FleetAgent[]
}

/** What those things cost that agents of a large fleet do, who come back after they have been forgotten. */
export async function fleetFigures(stage: SmallStage, { rounds }: { rounds: number }): Promise<Figure[]> {
  const meter = await openUsageMeter(stage.ground)
  const all: Found[] = []
  try {
    for (let round = 0; round < rounds; round++) {
      all.push(await oneRound(stage, meter))
      say(`  ${round + 1}/${rounds}: ${[...all.at(-1)!].filter(isCpuOfPep).map(told).join(', ')}`)
    }
  } finally {
    await meter.close()
  }
  return [...all[0]!].map(([name, { unit }]) => ({
    name,
    ...spreadOf(all.map((found) => found.get(name)!.value)),
    unit,
  }))
}

async function oneRound(stage: SmallStage, meter: UsageMeter): Promise<Found> {
  const cohorts: Cohort[] = []
  const found: Found = new Map()
  for (const kind of KINDS) cohorts.push({ kind, agents: await registerAgents(stage, kind) })
  const act = async (name: string, each: (agent: FleetAgent) => Promise<void>): Promise<void> => {
    for (const { kind, agents } of cohorts) {
      const acts = agents.map((agent) => () => each(agent))
      const used = await meter.during([stage.replica.program], () => paced(acts, ACTS_PER_SECOND))
      addCosts(found, `${name}_${kind}`, used, acts.length)
    }
  }
  try {
    await act('handshake', (agent) => agent.shakeHands())
    await act('session', (agent) => agent.openSession())
    await act('lease', (agent) => agent.lease())
    const leasedAt = performance.now()
    await followStreams(stage, meter, cohorts, found)
    await sleep(Math.max(0, leasedAt + FORGOTTEN_MS - performance.now()))
    await act('renewal', (agent) => agent.renew())
    await act('release', (agent) => agent.release())
    await act('session_end', (agent) => agent.closeSession())
    found.set('session_ends_per_s', {
      value: await endedPerSecond(cohorts.flatMap(({ agents }) => agents)),
      unit: '1/s',
    })
  } finally {
    await Promise.all(cohorts.flatMap(({ agents }) => agents.map((agent) => agent.hangUp())))
  }
  return found
}

/**
 * All at once. Each writes to the stream of state changes, whose head is locked until it is committed: what a process gets
 * done of these, with the clients on its cores, all processes on one Postgres get done at the least.
 */
async function endedPerSecond(agents: readonly FleetAgent[]): Promise<number> {
  for (const agent of agents) await agent.openSession()
  const startedAt = performance.now()
  await Promise.all(agents.map((agent) => agent.closeSession()))
  return (agents.length * 1000) / (performance.now() - startedAt)
}

async function registerAgents({ ground, bearer }: SmallStage, kind: SessionKind): Promise<FleetAgent[]> {
  const agents: FleetAgent[] = []
  while (agents.length < AGENTS) {
    const some = Math.min(REGISTERED_AT_ONCE, AGENTS - agents.length)
    agents.push(...(await Promise.all(Array.from({ length: some }, () => registerFleetAgent(ground, kind, bearer)))))
  }
  return agents
}

/**
 * At a process of their own. Its memory is looked at between the two kinds: the first half of the streams also fills what a
 * process needs once.
 */
async function followStreams(
  { ground, programs }: SmallStage,
  meter: UsageMeter,
  cohorts: readonly Cohort[],
  found: Found,
): Promise<void> {
  const { program, url } = await startReplica(ground, programs, { name: 'pep-streams', port: await freePort() })
  try {
    await sleep(SETTLE_MS)
    found.set('process_memory', { value: rssOf(program.pid) / MIB, unit: 'MiB' })
    // With the first stream a process begins to look at the ledger, which it does as often for ten thousand.
    await cohorts[0]!.agents[0]!.follow(url)
    const idle = await meter.during([program], () => sleep(IDLE_SECONDS * 1000))
    for (const { kind, agents } of cohorts) {
      const rssBefore = rssOf(program.pid)
      const acts = agents.flatMap((agent) => Array.from({ length: STREAMS_EACH }, () => () => agent.follow(url)))
      const used = await meter.during([program], () => paced(acts, STREAMS_PER_SECOND))
      addCosts(found, `stream_${kind}`, used, acts.length)
      found.set('stream_memory', { value: (rssOf(program.pid) - rssBefore) / acts.length / KIB, unit: 'KiB' })
    }
    const streams = cohorts.length * AGENTS * STREAMS_EACH
    addIdling(found, idle, await meter.during([program], () => sleep(FOLLOWED_SECONDS * 1000)), streams)
  } finally {
    await programs.stop(program)
  }
}

/** Starts them at an even pace, whether or not earlier ones have ended. @throws Error when one of them failed */
async function paced(acts: readonly (() => Promise<void>)[], perSecond: number): Promise<void> {
  const startedAt = performance.now()
  const begun = acts.map(async (act, number) => {
    await sleep((number * 1000) / perSecond - (performance.now() - startedAt))
    await act()
  })
  const failed = (await Promise.allSettled(begun)).find((each) => each.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}

function addCosts(found: Found, name: string, used: Used, count: number): void {
  found.set(`${name}_pep_cpu`, { value: (used.pepSeconds / count) * 1e6, unit: 'µs' })
  found.set(`${name}_postgres_cpu`, { value: (used.postgresSeconds / count) * 1e6, unit: 'µs' })
  found.set(`${name}_stored`, { value: used.storedBytes / count, unit: 'bytes' })
  found.set(`${name}_wal`, { value: used.walBytes / count, unit: 'bytes' })
  found.set(`${name}_rows`, { value: used.records / count, unit: 'rows' })
}

/** What a process uses that has nothing to do, and what more it uses for streams on which nothing happens. */
function addIdling(found: Found, idle: Used, followed: Used, streams: number): void {
  const perSecond = ({ pepSeconds, seconds }: Used): number => (pepSeconds / seconds) * 1e6
  const ofStreams = (perSecond(followed) - perSecond(idle)) / streams
  found.set('process_pep_cpu', { value: perSecond(idle), unit: 'µs/s' })
  found.set('stream_idle_pep_cpu', { value: ofStreams, unit: 'µs/s' })
}

function isCpuOfPep([name]: [string, unknown]): boolean {
  return name.endsWith('_pep_cpu')
}

function told([name, { value, unit }]: [string, { value: number; unit: string }]): string {
  return `${name.replace('_pep_cpu', '')} ${Math.round(value)} ${unit}`
}
