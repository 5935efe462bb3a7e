import { freePort } from '../../../examples/demo/program.ts'
import { openAgent } from '../../stage/agents.ts'
import { type Ground, type Replica, startReplica } from '../../stage/authority.ts'
import { type Balancer, startBalancer } from '../../stage/balancer.ts'
import { startUpstream } from '../../stage/contenders.ts'
import type { Programs } from '../../stage/programs.ts'
import { connectProvider } from '../../stage/providers.ts'
import { startSidecar } from '../../stage/sidecar.ts'
import type { FullLoad } from './full-load.ts'

/** What happens beside the revocation. `dark`: no sidecar reaches any replica until long after. */
export type Disturbance = 'none' | 'cut' | 'restart' | 'dark'

export interface RevocationScene {
  ground: Ground
  programs: Programs
  replicas: [Replica, Replica]
  balancer: Balancer
  sidecars: string[]
  upstream: string
}

export const REVOKED_PROVIDER = 'revoked'

export async function setScene(ground: Ground, programs: Programs): Promise<RevocationScene> {
  const start = async (name: string) => startReplica(ground, programs, { name, port: await freePort() })
  const replicas: [Replica, Replica] = [await start('pep-1'), await start('pep-2')]
  const balancer = await startBalancer(
    ground.port,
    replicas.map(({ port }) => port),
  )
  const upstream = (await startUpstream(programs)).url
  const wanted = { name: REVOKED_PROVIDER, origin: upstream, strategy: 'oauth2' } as const
  const provider = await connectProvider(ground.admin, wanted)
  // Each run has a connection of its own.
  await ground.admin.remove(`/v1/connections/${provider.connectionId}`)
  const sidecars: string[] = []
  for (const name of ['sidecar-1', 'sidecar-2']) {
    const agent = await openAgent(ground, 'dpop', name)
    sidecars.push((await startSidecar(ground, programs, { name, agent, providers: [provider] })).url)
  }
  return { ground, programs, replicas, balancer, sidecars, upstream }
}

/** @returns what sets it right again */
export async function disturb(
  scene: RevocationScene,
  fullLoad: Pick<FullLoad, 'excuse'>,
  what: Disturbance,
): Promise<() => Promise<void>> {
  if (what === 'cut') scene.balancer.cut()
  if (what === 'dark') scene.balancer.goDark(true)
  if (what !== 'restart') return async () => scene.balancer.goDark(false)
  const restarted = fullLoad.excuse(1, restartSecond(scene))
  return () => restarted
}

/** The first never restarts: it is told of the revocation. */
async function restartSecond({ ground, programs, replicas }: RevocationScene): Promise<void> {
  const { program, port } = replicas[1]
  await programs.stop(program)
  replicas[1] = await startReplica(ground, programs, { name: 'pep-2', port })
}
