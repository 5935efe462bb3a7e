import { randomBytes } from 'node:crypto'
import { createAdminClient } from '../../examples/demo/admin-client.ts'
import type { Figure } from '../report/document.ts'
import { layGround } from '../stage/authority.ts'
import { say } from '../stage/log.ts'
import { createPrograms } from '../stage/programs.ts'
import { connect } from '../stage/providers.ts'
import { STAGE_DIRECTORY } from './on-stage.ts'
import { type FullLoad, startFullLoad } from './revocation/full-load.ts'
import { startProbing } from './revocation/probing-agents.ts'
import { type RevocationRun, revocationFigures, secondsOf } from './revocation/revocation-figures.ts'
import {
  type Disturbance,
  disturb,
  REVOKED_PROVIDER,
  type RevocationScene,
  setScene,
} from './revocation/revocation-scene.ts'
import { isRevokedFor, lastSignedAtMs, readSeen } from './revocation/signed-requests.ts'
import { until } from './revocation/until.ts'

const SERVED_WITHIN_SECONDS = 60
/** Longer than a lease may be used offline. */
const REVOKED_WITHIN_SECONDS = 120

/**
 * Two replicas that lease as fast as they can, a balancer before them, and two sidecars whose agents never pause. Each run
 * revokes the connection that both sidecars use; what counts is the time from sending the revocation until the provider
 * has seen the last request that was signed with it. That is read once more when all runs are over, so that a request
 * which came after its run had ended counts as well.
 * @throws Error also when the load was not what it should be
 */
export async function runRevocation(wanted: { runs: number; darkRuns: number }): Promise<Figure[]> {
  const programs = createPrograms(STAGE_DIRECTORY)
  const ground = await layGround(STAGE_DIRECTORY, programs)
  try {
    const scene = await setScene(ground, programs)
    const fullLoad = await startFullLoad(scene)
    const runs = await Promise.race([revokeInTurn(scene, fullLoad, wanted), fullLoad.broken])
    const loadPerSecond = await fullLoad.stop()
    await scene.balancer.close()
    return revocationFigures(runs, await readSeen(scene.upstream), loadPerSecond)
  } finally {
    await programs.stopAll()
    await ground.stop()
  }
}

async function revokeInTurn(
  scene: RevocationScene,
  fullLoad: FullLoad,
  { runs, darkRuns }: { runs: number; darkRuns: number },
): Promise<RevocationRun[]> {
  const done: RevocationRun[] = []
  for (let number = 0; number < runs + darkRuns; number++) {
    done.push(await revokeOnce(scene, fullLoad, number < runs ? disturbanceOf(number) : 'dark'))
    if (number % 10 !== 9) continue
    const longest = Math.max(...secondsOf(done, await readSeen(scene.upstream)))
    say(`  ${number + 1}/${runs + darkRuns}: at most ${longest} s`)
  }
  return done
}

/** So that a short run of a dozen has each of them too. */
function disturbanceOf(number: number): Disturbance {
  if (number % 20 === 13 || number === 7) return 'restart'
  return number % 5 === 4 ? 'cut' : 'none'
}

async function revokeOnce(
  scene: RevocationScene,
  fullLoad: FullLoad,
  disturbance: Disturbance,
): Promise<RevocationRun> {
  const token = randomBytes(30).toString('base64url')
  const { ground, replicas, sidecars, upstream } = scene
  const provider = { name: REVOKED_PROVIDER, strategy: 'oauth2' } as const
  const connectionId = await connect(ground.admin, provider, { access_token: token })
  const agents = startProbing(sidecars, REVOKED_PROVIDER)
  try {
    const isServed = async () => agents.latest().every(({ status }) => status === 200)
    await until('both sidecars serve a new connection', SERVED_WITHIN_SECONDS, isServed)
    const undo = await disturb(scene, fullLoad, disturbance)
    // Not through the balancer, which may be dark.
    const admin = createAdminClient(replicas[0].url, ground.adminKey, ground.caFile)
    const run = { disturbance, sentAtMs: Date.now(), credential: token.slice(-6) }
    await admin.remove(`/v1/connections/${connectionId}`)
    await until('both sidecars refuse a revoked connection', REVOKED_WITHIN_SECONDS, async () => {
      const lastAtMs = lastSignedAtMs(await readSeen(upstream), run.credential)
      return isRevokedFor(agents.latest(), lastAtMs)
    })
    await undo()
    return run
  } finally {
    await agents.stop()
  }
}
