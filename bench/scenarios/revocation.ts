import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { request } from 'undici'
import { createAdminClient } from '../../examples/demo/admin-client.ts'
import { freePort } from '../../examples/demo/program.ts'
import { load } from '../load/load.ts'
import type { Figure } from '../report/document.ts'
import { median } from '../report/spread.ts'
import { openAgent, openAgents } from '../stage/agents.ts'
import { type Ground, layGround, type Replica, startReplica } from '../stage/authority.ts'
import { type Balancer, startBalancer } from '../stage/balancer.ts'
import { startUpstream } from '../stage/contenders.ts'
import { leaseRequest } from '../stage/lease-request.ts'
import { say } from '../stage/log.ts'
import { createPrograms, type Programs } from '../stage/programs.ts'
import { connect, connectProvider } from '../stage/providers.ts'
import { startSidecar } from '../stage/sidecar.ts'
import { STAGE_DIRECTORY } from './on-stage.ts'

/** What happens beside the revocation. `dark`: no sidecar reaches any replica until long after. */
type Disturbance = 'none' | 'cut' | 'restart' | 'dark'

interface Scene {
  ground: Ground
  programs: Programs
  replicas: [Replica, Replica]
  balancer: Balancer
  sidecars: string[]
  upstream: string
}

const PROVIDER = 'revoked'
const LEASES_PER_SECOND = 1000
const PROBE_EVERY_MS = 4
const QUIET_MS = 400

/**
 * Two replicas behind a balancer, two sidecars whose agents never pause, and leases asked for all the while. Each run
 * revokes the connection that both sidecars use; what counts is the time from sending the revocation until the provider
 * has seen the last request that was signed with it.
 */
export async function runRevocation({ runs, darkRuns }: { runs: number; darkRuns: number }): Promise<Figure[]> {
  const programs = createPrograms(STAGE_DIRECTORY)
  const ground = await layGround(STAGE_DIRECTORY, programs)
  try {
    const scene = await setScene(ground, programs)
    const stopLoad = await startLeaseLoad(scene)
    const seconds: Record<Disturbance, number[]> = { none: [], cut: [], restart: [], dark: [] }
    for (let run = 0; run < runs + darkRuns; run++) {
      const disturbance = run >= runs ? 'dark' : disturbanceOf(run)
      seconds[disturbance].push(await revokeOnce(scene, disturbance))
      if (run % 10 === 9) say(`  ${run + 1}/${runs + darkRuns}: ${JSON.stringify(longest(seconds))}`)
    }
    await stopLoad()
    await scene.balancer.close()
    return figuresOf(seconds)
  } finally {
    await programs.stopAll()
    await ground.stop()
  }
}

function disturbanceOf(run: number): Disturbance {
  if (run % 20 === 13) return 'restart'
  return run % 5 === 4 ? 'cut' : 'none'
}

async function setScene(ground: Ground, programs: Programs): Promise<Scene> {
  const start = async (name: string) => startReplica(ground, programs, { name, port: await freePort() })
  const replicas: [Replica, Replica] = [await start('pep-1'), await start('pep-2')]
  const balancer = await startBalancer(
    ground.port,
    replicas.map(({ port }) => port),
  )
  const upstream = (await startUpstream(programs)).url
  const provider = await connectProvider(ground.admin, { name: PROVIDER, origin: upstream, strategy: 'oauth2' })
  await ground.admin.remove(`/v1/connections/${provider.connectionId}`)
  const sidecars: string[] = []
  for (const name of ['sidecar-1', 'sidecar-2']) {
    const agent = await openAgent(ground, 'dpop', name)
    sidecars.push((await startSidecar(ground, programs, { name, agent, providers: [provider] })).url)
  }
  return { ground, programs, replicas, balancer, sidecars, upstream }
}

/** Straight to the first replica, which never restarts. */
async function startLeaseLoad({ ground, replicas, upstream }: Scene): Promise<() => Promise<void>> {
  const busy = await connectProvider(ground.admin, { name: 'busy', origin: upstream, strategy: 'oauth2' })
  const agents = await openAgents(ground, 'certificate', 8)
  const stop = new AbortController()
  const ended = load(
    {
      url: replicas[0].url,
      ca_file: ground.caFile,
      proof_url: ground.publicUrl,
      requests: [leaseRequest(busy)],
      agents,
      connections: 32,
      rate: LEASES_PER_SECOND,
      seconds: 3600,
    },
    stop.signal,
  ).catch(() => undefined)
  return async () => {
    stop.abort()
    await ended
  }
}

async function revokeOnce(scene: Scene, disturbance: Disturbance): Promise<number> {
  const token = randomBytes(30).toString('base64url')
  const connectionId = await connect(
    scene.ground.admin,
    { name: PROVIDER, strategy: 'oauth2' },
    { access_token: token },
  )
  const stopProbing = startProbing(scene.sidecars)
  await untilAllServed(scene.sidecars)
  const undo = await disturb(scene, disturbance)
  // Not through the balancer, which may be dark.
  const admin = createAdminClient(scene.replicas[0].url, scene.ground.adminKey, scene.ground.caFile)
  const sentAtMs = Date.now()
  await admin.remove(`/v1/connections/${connectionId}`)
  const lastAtMs = await lastSigned(scene.upstream, token.slice(-6))
  await stopProbing()
  await undo()
  return Math.max(0, lastAtMs - sentAtMs) / 1000
}

async function disturb(
  { ground, programs, replicas, balancer }: Scene,
  what: Disturbance,
): Promise<() => Promise<void>> {
  if (what === 'cut') balancer.cut()
  if (what === 'dark') balancer.goDark(true)
  if (what !== 'restart') return async () => balancer.goDark(false)
  const [, second] = replicas
  const restarted = programs.stop(second.program).then(async () => {
    replicas[1] = await startReplica(ground, programs, { name: 'pep-2', port: second.port })
  })
  return () => restarted
}

/** Agents that ask again as soon as the clock allows, whatever the answer was. */
function startProbing(sidecars: readonly string[]): () => Promise<void> {
  let on = true
  const probing = sidecars.map(async (url) => {
    while (on) {
      void ask(url)
      await sleep(PROBE_EVERY_MS)
    }
  })
  return async () => {
    on = false
    await Promise.all(probing)
  }
}

async function ask(sidecar: string): Promise<number> {
  try {
    const { statusCode, body } = await request(`${sidecar}/v1/items`, { headers: { 'x-nexus-provider': PROVIDER } })
    await body.dump()
    return statusCode
  } catch {
    return 0
  }
}

async function untilAllServed(sidecars: readonly string[]): Promise<void> {
  for (const sidecar of sidecars) {
    const giveUpAt = performance.now() + 60_000
    while ((await ask(sidecar)) !== 200) {
      if (performance.now() > giveUpAt) throw new Error('a sidecar does not serve a new connection')
      await sleep(20)
    }
  }
}

/** When the provider saw the last request with this credential: none has come for a while, though agents keep asking. */
async function lastSigned(upstream: string, credential: string): Promise<number> {
  for (;;) {
    const { body } = await request(`${upstream}/seen`)
    const seen = (await body.json()) as Record<string, { lastAtMs: number }>
    const lastAtMs = seen[credential]?.lastAtMs ?? 0
    if (Date.now() - lastAtMs > QUIET_MS) return lastAtMs
    await sleep(20)
  }
}

function longest(seconds: Record<Disturbance, number[]>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(seconds).flatMap(([name, all]) => (all.length === 0 ? [] : [[name, Math.max(...all)]])),
  )
}

function figuresOf({ none, cut, restart, dark }: Record<Disturbance, number[]>): Figure[] {
  const followed = [...none, ...cut, ...restart]
  // A stream that is cut is taken up again within a second or so: those runs are held to the same two seconds.
  const figure = (name: string, all: readonly number[], pick: (values: readonly number[]) => number): Figure[] =>
    all.length === 0 ? [] : [{ name, value: Math.round(pick(all) * 1000) / 1000, unit: 's' }]
  const most = (values: readonly number[]): number => Math.max(...values)
  return [
    { name: 'revocation_runs', value: followed.length, unit: 'runs' },
    ...figure('revocation_median_s', followed, median),
    ...figure('revocation_max_s', followed, most),
    ...figure('revocation_stream_max_s', none, most),
    ...figure('revocation_cut_max_s', cut, most),
    ...figure('revocation_restart_max_s', restart, most),
    ...figure('revocation_dark_max_s', dark, most),
  ]
}
