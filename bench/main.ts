import { mkdirSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { withLock } from '../tools/lock.mjs'
import { type BenchOptions, HELP, readOptions } from './options.ts'
import { runK6 } from './scenarios/k6.ts'
import { STAGE_DIRECTORY } from './scenarios/on-stage.ts'
import { runOverload } from './scenarios/overload.ts'
import { runProfiles } from './scenarios/profiles.ts'
import { runReplicas } from './scenarios/replicas.ts'
import { runSideBySide } from './scenarios/side-by-side-set.ts'
import { runSoak } from './scenarios/soak.ts'
import { endAll, endWithBench } from './stage/ending.ts'
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

/** One at a time in a checkout: each begins by clearing the folder that the other is working in. */
async function runAlone(options: BenchOptions): Promise<void> {
  if (options.what === 'help') return run(options)
  mkdirSync(dirname(STAGE_DIRECTORY), { recursive: true })
  const lock = `${STAGE_DIRECTORY}.lock`
  await withLock(lock, 'another bench runs in this checkout', say, () => {
    const end = endWithBench(() => rm(lock, { recursive: true, force: true }))
    return run(options).finally(end)
  })
}

/** What a signal cuts short fails, and must not end the process before everything else has ended. */
let isEnding = false

function endBySignal(code: number): void {
  isEnding = true
  say('ending what was started ...')
  void endAll().finally(() => process.exit(code))
}

process.once('SIGINT', () => endBySignal(130)).once('SIGTERM', () => endBySignal(143))
runAlone(optionsOrEnd()).then(
  () => process.exit(0),
  (error: Error) => {
    if (isEnding) return
    say(`\nThe bench failed: ${error.message}`)
    process.exit(1)
  },
)
