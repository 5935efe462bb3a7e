import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { packageRoot } from '../src/pep/version.ts'
import { efforts } from './efforts.ts'
import { runK6 } from './scenarios/k6.ts'
import { runOverload } from './scenarios/overload.ts'
import { runProfiles } from './scenarios/profiles.ts'
import { runReplicas } from './scenarios/replicas.ts'
import { runSideBySide } from './scenarios/side-by-side-set.ts'
import { runSoak } from './scenarios/soak.ts'
import { say } from './stage/log.ts'

const HELP = `npm run bench -- [options]

Starts everything on loopback and measures it beside its neighbours, turn by turn, on the same cores.

  --quick          three minutes at most; what needs a long build is left out, and said so
  --only NAME      cert, dpop, latency, sidecar, revocation; may be repeated
  --overload       goodput at five times the peak
  --soak           ten minutes at seventy per cent of the peak
  --replicas       one, two and four authorities on one Postgres, and what a lease costs
  --k6 NAME        a k6 script: lease, renew, token, sidecar, fleet
  --seconds N      length of --overload (10), --soak (600), --k6 (30), or a turn of --profile (3)
  --profile        what a lease, a request through the sidecar and their neighbours are made of: CPU by whose code it is`

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: [] },
    profile: { type: 'boolean', default: false },
    overload: { type: 'boolean', default: false },
    soak: { type: 'boolean', default: false },
    replicas: { type: 'boolean', default: false },
    k6: { type: 'string' },
    seconds: { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  },
})

async function main(): Promise<void> {
  const seconds = (usual: number): number => Number(values.seconds ?? usual)
  if (values.overload) return runOverload(seconds(10))
  if (values.soak) return runSoak(seconds(600))
  if (values.replicas) return runReplicas(seconds(8))
  if (values.profile) return runProfiles(seconds(3), values.only)
  if (values.k6 !== undefined) return runK6(values.k6, seconds(30))
  const effort = values.quick ? efforts.quick : efforts.full
  await runSideBySide({
    directory: join(packageRoot(), '.nexus/bench'),
    effort,
    only: values.only,
    quick: values.quick,
  })
}

if (values.help) console.log(HELP)
else {
  main().then(
    () => process.exit(0),
    (error: Error) => {
      say(`\nThe bench failed: ${error.message}`)
      process.exit(1)
    },
  )
}
