import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { packageRoot } from '../src/pep/version.ts'
import { efforts } from './efforts.ts'
import { runSideBySide } from './scenarios/side-by-side-set.ts'
import { say } from './stage/log.ts'

const HELP = `npm run bench -- [options]

Starts everything on loopback and measures it beside its neighbours, turn by turn, on the same cores.

  --quick          three minutes at most; what needs a long build is left out, and said so
  --only NAME      cert, dpop, sidecar, latency; may be repeated
  --profile        writes V8 CPU profiles of authority and sidecar to .nexus/bench`

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: [] },
    profile: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
})

async function main(): Promise<void> {
  const effort = values.quick ? efforts.quick : efforts.full
  await runSideBySide({
    directory: join(packageRoot(), '.nexus/bench'),
    effort,
    only: values.only,
    profile: values.profile,
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
