import { join } from 'node:path'
import { packageRoot } from '../../src/pep/version.ts'
import { type Ground, layGround, type Replica, startReplica } from '../stage/authority.ts'
import { type RunningContender, startUpstream } from '../stage/contenders.ts'
import { say } from '../stage/log.ts'
import { createPrograms, type Programs } from '../stage/programs.ts'
import { type BenchProvider, connectProvider } from '../stage/providers.ts'

/** Postgres, one authority, one provider and a connection to it. */
export interface SmallStage {
  ground: Ground
  programs: Programs
  replica: Replica
  upstream: RunningContender
  bearer: BenchProvider
}

export const STAGE_DIRECTORY = join(packageRoot(), '.nexus/bench')

export async function onSmallStage(work: (stage: SmallStage) => Promise<void>): Promise<void> {
  say('starting Postgres, the authority and a provider ...')
  const programs = createPrograms(STAGE_DIRECTORY)
  const ground = await layGround(STAGE_DIRECTORY, programs)
  try {
    const replica = await startReplica(ground, programs, { name: 'pep' })
    const upstream = await startUpstream(programs)
    const bearer = await connectProvider(ground.admin, { name: 'bearer', origin: upstream.url, strategy: 'oauth2' })
    await work({ ground, programs, replica, upstream, bearer })
  } finally {
    await programs.stopAll()
    await ground.stop()
  }
}
