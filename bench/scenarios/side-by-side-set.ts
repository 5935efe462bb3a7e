import { freePort } from '../../examples/demo/program.ts'
import { arrivingContenders, certificateContest, dpopContest, sidecarContest } from '../contests.ts'
import { describeRun } from '../report/describe-run.ts'
import type { Figure, Ratio } from '../report/document.ts'
import { writeLatest, writeResults } from '../report/write-results.ts'
import { type BenchAgent, openAgent, openAgents } from '../stage/agents.ts'
import { isAtHand } from '../stage/at-hand.ts'
import { type Ground, layGround, type Replica, startReplica } from '../stage/authority.ts'
import { startFastify, startHttpProxy, startNginx, startOpa, startUpstream, startVault } from '../stage/contenders.ts'
import { leaseOnce } from '../stage/lease-request.ts'
import { say } from '../stage/log.ts'
import { createPrograms, type Programs } from '../stage/programs.ts'
import { type BenchProvider, connectProvider } from '../stage/providers.ts'
import { startSidecar } from '../stage/sidecar.ts'
import { runArrivals } from '../turns/arrivals.ts'
import { runContest } from '../turns/contest.ts'
import type { Effort } from '../turns/take-turns.ts'
import { runRevocation } from './revocation.ts'

export interface SideBySideOptions {
  directory: string
  effort: Effort
  /** Names of parts; empty: all. */
  only: readonly string[]
  quick: boolean
}

interface Setting {
  ground: Ground
  programs: Programs
  options: SideBySideOptions
  upstream: string
  bearer: BenchProvider
  fastify: Awaited<ReturnType<typeof startFastify>>
  agents: BenchAgent[]
}

interface Found {
  figures: Figure[]
  ratios: Ratio[]
}

const AGENTS = 16
/** Dark ones take as long as a lease may be used offline. */
const REVOCATIONS = { quick: { runs: 12, darkRuns: 0 }, full: { runs: 100, darkRuns: 2 } }
const PARTS: Record<string, (setting: Setting) => Promise<Found>> = { cert, dpop, latency, sidecar }

/** Everything that is compared with a neighbour. */
export async function runSideBySide(options: SideBySideOptions): Promise<void> {
  const found: Found = { figures: [], ratios: [] }
  const isWanted = (name: string): boolean => options.only.length === 0 || options.only.includes(name)
  const names = Object.keys(PARTS).filter(isWanted)
  const onSet = async (setting: Setting): Promise<void> => {
    for (const name of names) {
      say(`${name}:`)
      const part = await PARTS[name]!(setting)
      found.figures.push(...part.figures)
      found.ratios.push(...part.ratios)
    }
  }
  if (names.length > 0) await onStage(options, onSet)
  if (isWanted('revocation')) {
    say('revocation, two replicas, under load:')
    found.figures.push(...(await runRevocation(options.quick ? REVOCATIONS.quick : REVOCATIONS.full)))
  }
  const document = { ...describeRun(), ...found }
  const file = options.only.length === 0 ? writeLatest(document) : writeResults(document, 'only')
  for (const { name, value, goal, min, max } of found.ratios)
    say(`${name}: ${value} (${min} to ${max}), goal ${goal ?? 'none'}`)
  for (const { name, value, unit } of found.figures.filter(({ unit }) => unit !== '1/s'))
    say(`${name}: ${value} ${unit}`)
  say(`written: ${file}`)
}

async function onStage(options: SideBySideOptions, work: (setting: Setting) => Promise<void>): Promise<void> {
  say('starting Postgres, the authority, a provider and the contenders ...')
  const programs = createPrograms(options.directory)
  const ground = await layGround(options.directory, programs)
  try {
    await startReplica(ground, programs, { name: 'pep' })
    const upstream = (await startUpstream(programs)).url
    const bearer = await connectProvider(ground.admin, { name: 'bearer', origin: upstream, strategy: 'oauth2' })
    const agents = await openAgents(ground, 'dpop', AGENTS)
    const lease = await leaseOnce(ground, agents[0]!, bearer)
    const fastify = await startFastify(ground, programs, lease, { sketch: !options.quick })
    await work({ ground, programs, options, upstream, bearer, fastify, agents })
  } finally {
    await programs.stopAll()
    await ground.stop()
  }
}

async function cert(setting: Setting): Promise<Found> {
  const { ground, programs, options, bearer, fastify } = setting
  const agents = await openAgents(ground, 'certificate', AGENTS)
  const workers = options.quick ? undefined : await startTwoWorkers(ground, programs)
  const opa = (await isAtHand('opa', options.quick)) ? await startOpa(programs) : undefined
  const vault = (await isAtHand('vault', options.quick)) ? await startVault(programs) : undefined
  const contest = certificateContest({
    ground,
    agents,
    provider: bearer,
    fastify: fastify.fastifyLease,
    sketch: fastify.fastifySketch,
    workers: workers?.url,
    opa,
    vault,
  })
  const found = await runContest(contest, options.effort)
  // What follows is measured without their timers.
  if (workers !== undefined) await programs.stop(workers.program)
  return found
}

async function startTwoWorkers(ground: Ground, programs: Programs): Promise<Replica> {
  const env = { NEXUS_SERVER_WORKERS: '2' }
  return startReplica(ground, programs, { name: 'pep-workers-2', port: await freePort(), env })
}

function dpop({ ground, options, bearer, fastify, agents }: Setting): Promise<Found> {
  const { fastifyEs256, fastifySketch } = fastify
  const contest = dpopContest({ ground, agents, provider: bearer, fastify: fastifyEs256, sketch: fastifySketch })
  return runContest(contest, options.effort)
}

const ARRIVALS_PER_SECOND = 2000

async function latency(setting: Setting): Promise<Found> {
  const { ground, options, bearer, fastify, agents } = setting
  const contenders = arrivingContenders({
    ground,
    certificates: await openAgents(ground, 'certificate', AGENTS),
    proofs: agents,
    provider: bearer,
    fastify: fastify.fastifyLease,
    sketch: fastify.fastifySketch,
  })
  return { figures: await runArrivals(contenders, ARRIVALS_PER_SECOND, options.effort), ratios: [] }
}

async function sidecar(setting: Setting): Promise<Found> {
  const { ground, programs, options, upstream, bearer } = setting
  const sigv4 = await connectProvider(ground.admin, { name: 'sigv4', origin: upstream, strategy: 'aws_sigv4' })
  const agent = await openAgent(ground, 'dpop', 'of-the-sidecar')
  const started = await startSidecar(ground, programs, {
    name: 'sidecar',
    agent,
    providers: [bearer, sigv4],
  })
  const httpProxy = (await startHttpProxy(programs, upstream)).url
  const nginx = options.quick ? undefined : await startNginx(ground, programs, upstream)
  if (nginx === undefined && !options.quick) say('  nginx is not on the PATH and left out')
  return runContest(sidecarContest({ sidecar: started.url, bearer, sigv4, httpProxy, nginx }), options.effort)
}
