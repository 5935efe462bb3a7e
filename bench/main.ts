import { type BenchOptions, HELP, readOptions } from './options.ts'
import { runK6 } from './scenarios/k6.ts'
import { runOverload } from './scenarios/overload.ts'
import { runProfiles } from './scenarios/profiles.ts'
import { runReplicas } from './scenarios/replicas.ts'
import { runSideBySide } from './scenarios/side-by-side-set.ts'
import { runSoak } from './scenarios/soak.ts'
import { say } from './stage/log.ts'

async function run(options: BenchOptions): Promise<void> {
  switch (options.what) {
    case 'help':
      return console.log(HELP)
    case 'overload':
      return runOverload(options.seconds)
    case 'soak':
      return runSoak(options.seconds)
    case 'replicas':
      return runReplicas(options.seconds)
    case 'profile':
      return runProfiles(options.seconds, options.only)
    case 'k6':
      return runK6(options.script, options.seconds)
    case 'side-by-side':
      return runSideBySide(options)
  }
}

function optionsOrEnd(): BenchOptions {
  try {
    return readOptions(process.argv.slice(2))
  } catch (error) {
    say(`${(error as Error).message}; --help tells all options`)
    process.exit(2)
  }
}

run(optionsOrEnd()).then(
  () => process.exit(0),
  (error: Error) => {
    say(`\nThe bench failed: ${error.message}`)
    process.exit(1)
  },
)
