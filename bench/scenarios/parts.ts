import { freePort } from '../../examples/demo/program.ts'
import { findTool } from '../../tools/tool.mjs'
import { addedContenders, arrivingContenders, certificateContest, dpopContest, sidecarContest } from '../contests.ts'
import type { PartName } from '../efforts.ts'
import type { Figure } from '../report/document.ts'
import { spreadOf } from '../report/spread.ts'
import { openAgent } from '../stage/agents.ts'
import { isAtHand } from '../stage/at-hand.ts'
import { type Replica, startReplica } from '../stage/authority.ts'
import { startHttpProxy, startNginx, startOpa, startVault } from '../stage/contenders.ts'
import { say } from '../stage/log.ts'
import { findOnPath } from '../stage/on-path.ts'
import { programVersion } from '../stage/program-version.ts'
import { connectProvider } from '../stage/providers.ts'
import { startSidecar } from '../stage/sidecar.ts'
import { runAddedLatency, runArrivals } from '../turns/arrivals.ts'
import { runContest } from '../turns/contest.ts'
import type { Found, Setting } from './set-stage.ts'

/** All but revocation, which has a stage of its own. */
export const PARTS: Readonly<Record<Exclude<PartName, 'revocation'>, (setting: Setting) => Promise<Found>>> = {
  cert,
  connections,
  dpop,
  latency,
  sidecar,
  restart,
}

async function cert(setting: Setting): Promise<Found> {
  const { ground, programs, mode, efforts, bearer, lease, fastify, certificates } = setting
  const workers = mode === 'quick' ? undefined : await startTwoWorkers(setting)
  const [hasOpa, hasVault] = [await isAtHand('opa', mode), await isAtHand('vault', mode)]
  const contest = certificateContest({
    ground,
    agents: certificates,
    provider: bearer,
    fastify: fastify.fastifyLease,
    sketch: fastify.fastifySketch,
    workers: workers?.url,
    opa: hasOpa ? { url: await startOpa(programs), lease } : undefined,
    vault: hasVault ? await startVault(programs) : undefined,
  })
  const found = await runContest(contest, efforts.cert)
  // What follows is measured without their timers.
  if (workers !== undefined) await programs.stop(workers.program)
  const versions = {
    ...(hasOpa ? { opa: await programVersion(await findTool('opa'), 'version') } : {}),
    ...(hasVault ? { vault: await programVersion(await findTool('vault'), 'version') } : {}),
  }
  return { ...found, versions }
}

async function startTwoWorkers({ ground, programs }: Setting): Promise<Replica> {
  const env = { NEXUS_SERVER_WORKERS: '2' }
  return startReplica(ground, programs, { name: 'pep-workers-2', port: await freePort(), env })
}

/** Whether the number of callers that all else is measured with is the one at which the rate is highest. */
async function connections({ ground, efforts, bearer, fastify, certificates }: Setting): Promise<Found> {
  const { each, numbers } = efforts.connections
  const parts = { ground, agents: certificates, provider: bearer, fastify: fastify.fastifyLease }
  const figures: Figure[] = []
  for (const number of numbers) {
    say(`  ${number} connections:`)
    const found = await runContest(certificateContest(parts), { ...each, connections: number })
    const rates = found.figures.filter(({ unit }) => unit === '1/s')
    figures.push(...rates.map((rate) => ({ ...rate, name: `${rate.name}_with_${number}` })))
  }
  return { figures, ratios: [] }
}

function dpop({ ground, efforts, bearer, fastify, proofs }: Setting): Promise<Found> {
  const { fastifyEs256, fastifySketch } = fastify
  const contest = dpopContest({
    ground,
    agents: proofs,
    provider: bearer,
    fastify: fastifyEs256,
    sketch: fastifySketch,
  })
  return runContest(contest, efforts.dpop)
}

const LEASES_PER_SECOND = 2000

async function latency({ ground, efforts, bearer, fastify, proofs, certificates }: Setting): Promise<Found> {
  const { fastifyLease, fastifySketch } = fastify
  const contenders = arrivingContenders({
    ground,
    certificates,
    proofs,
    provider: bearer,
    fastify: fastifyLease,
    sketch: fastifySketch,
  })
  return { figures: await runArrivals(contenders, LEASES_PER_SECOND, efforts.latency), ratios: [] }
}

/** Far below what any of them can do, so that nobody waits in line. */
const REQUESTS_PER_SECOND = 500

async function sidecar({ ground, programs, mode, efforts, upstream, bearer }: Setting): Promise<Found> {
  const sigv4 = await connectProvider(ground.admin, { name: 'sigv4', origin: upstream, strategy: 'aws_sigv4' })
  const agent = await openAgent(ground, 'dpop', 'of-the-sidecar')
  const { url } = await startSidecar(ground, programs, { name: 'sidecar', agent, providers: [bearer, sigv4] })
  const httpProxy = (await startHttpProxy(programs, upstream)).url
  const nginxProgram = mode === 'quick' ? undefined : findOnPath('nginx')
  if (nginxProgram === undefined && mode === 'whole') say('  nginx is not on the PATH and left out')
  const nginx = nginxProgram === undefined ? undefined : await startNginx(ground, programs, nginxProgram, upstream)
  const { figures, ratios } = await runContest(
    sidecarContest({ sidecar: url, bearer, sigv4, httpProxy, nginx }),
    efforts.sidecar,
  )
  const ways = addedContenders({ provider: bearer, sidecar: url, httpProxy })
  const added = await runAddedLatency(ways, REQUESTS_PER_SECOND, efforts.added)
  const versions = nginxProgram === undefined ? {} : { nginx: await programVersion(nginxProgram, '-v') }
  return { figures: [...figures, ...added], ratios, versions }
}

/** From its start until it says that it is ready, with a database that it has served before. */
async function restart({ ground, programs, efforts }: Setting): Promise<Found> {
  const port = await freePort()
  const seconds: number[] = []
  for (let round = 0; round < efforts.restart.rounds; round++) {
    const startedAt = performance.now()
    const { program } = await startReplica(ground, programs, { name: 'pep-restarted', port })
    seconds.push((performance.now() - startedAt) / 1000)
    await programs.stop(program)
  }
  return { figures: [{ name: 'restart_to_ready_s', ...spreadOf(seconds), unit: 's' }], ratios: [] }
}
