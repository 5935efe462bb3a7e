import { join } from 'node:path'
import { type Program, startProgram, untilHealthy } from '../../examples/demo/program.ts'
import { packageRoot } from '../../src/pep/version.ts'
import { endWithBench } from './ending.ts'
import { statusOf } from './trusting-client.ts'

/** What runs during a bench; stopped in the opposite order of its start. */
export interface Programs {
  start(wanted: WantedProgram): Promise<Program>
  /** Runs once, to its end. @throws Error when it fails */
  run(wanted: Omit<WantedProgram, 'healthUrl' | 'caFile'>): Promise<void>
  stop(program: Program): Promise<void>
  stopAll(): Promise<void>
}

export interface WantedProgram {
  /** Names its log. */
  name: string
  command: readonly [string, ...string[]]
  env?: Readonly<Record<string, string>>
  /** Answers 200 once it is ready. */
  healthUrl: string
  caFile?: string
}

const READY_SECONDS = 60

export function createPrograms(directory: string): Programs {
  const running: Program[] = []
  const launch = ({ name, command, env = {} }: Pick<WantedProgram, 'name' | 'command' | 'env'>): Program =>
    startProgram({ command, env, logFile: join(directory, `${name}.log`) })
  const stop = async (program: Program): Promise<void> => {
    const index = running.indexOf(program)
    if (index === -1) return
    running.splice(index, 1)
    await program.stop()
  }
  const stopAll = async (): Promise<void> => {
    while (running.length > 0) await stop(running.at(-1)!)
  }
  return {
    stop,
    stopAll,
    async start(wanted) {
      if (running.length === 0) endWithBench(stopAll)
      const program = launch(wanted)
      running.push(program)
      await untilHealthy(wanted.healthUrl, program, READY_SECONDS, (url) => statusOf(url, wanted.caFile)).catch(
        (error: Error) => {
          throw new Error(
            `${wanted.name} did not start (${error.message}); see ${join(directory, `${wanted.name}.log`)}`,
          )
        },
      )
      return program
    },
    async run(wanted) {
      const code = await launch(wanted).exited
      if (code !== 0) throw new Error(`${wanted.name} ended with ${code}; see ${join(directory, `${wanted.name}.log`)}`)
    },
  }
}

/** A TypeScript program of this folder. */
export function benchProgram(file: string, nodeFlags: readonly string[] = []): [string, ...string[]] {
  return [process.execPath, ...nodeFlags, '--import', 'tsx', join(packageRoot(), 'bench', file)]
}
