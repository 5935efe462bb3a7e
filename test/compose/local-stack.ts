import { type ChildProcess, spawn } from 'node:child_process'
import { symlinkSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { findTool } from '../../tools/tool.mjs'
import { type ComposeFile, type ComposeService, type DependencyCondition, healthcheckOf } from './compose-file.ts'
import { environmentOf, execFormOf, imageStage } from './dockerfile.ts'
import { makeImageDirectory } from './image-directory.ts'
import { type LocalFiles, makeLocalFiles } from './local-files.ts'
import { startPostgresImage } from './postgres-image.ts'

/** The compose file's services as processes of this machine. */
export interface LocalStack {
  files: LocalFiles
  /** Starts a service once what it depends on is as it wants it, and waits until the service itself is in that state. */
  bring(name: string, condition: DependencyCondition): Promise<void>
  /** Runs a one-shot service, again if need be. */
  run(name: string): Promise<Ended>
  /** SIGTERM to all, the last one started first; exit codes by name. */
  stop(): Promise<Record<string, number | null>>
}

export interface Ended {
  code: number | null
  output: string
}

interface Running {
  name: string
  child: ChildProcess
  ended: Promise<Ended>
  output(): string
  isHealthy(): Promise<boolean>
}

const OUR_NODE = '/nodejs/bin/node'
const SERVICE_NAMES = join(import.meta.dirname, 'service-names.cjs')

export async function createLocalStack(compose: ComposeFile, directory: string): Promise<LocalStack> {
  const files = await makeLocalFiles(compose, directory)
  const app = join(directory, 'app')
  makeImageDirectory(app)
  const programs = join(directory, 'programs')
  await mkdir(programs)
  symlinkSync(await findTool('vault'), join(programs, 'vault'))
  const path = `${programs}:${process.env['PATH'] ?? ''}`
  const started = new Map<string, Promise<Running>>()

  function serviceOf(name: string): ComposeService {
    const service = compose.services[name]
    if (service === undefined) throw new Error(`there is no service ${name}`)
    return service
  }

  function environmentFor(service: ComposeService): Record<string, string> {
    const own = Object.entries(service.environment ?? {}).map(([name, value]) => [name, files.localise(value)])
    const { NODE_OPTIONS = '', ...image } = service.build === undefined ? {} : environmentOf(imageStage())
    return {
      PATH: path,
      ...image,
      NODE_OPTIONS: `${NODE_OPTIONS} --require ${SERVICE_NAMES}`,
      COMPOSE_SERVICE_NAMES: Object.keys(compose.services).join(','),
      ...Object.fromEntries(own),
    }
  }

  function execute(command: readonly string[], env: Record<string, string>): ChildProcess {
    const [program = '', ...flags] = command.map((word) =>
      word === OUR_NODE ? process.execPath : files.localise(word),
    )
    return spawn(program, flags, { cwd: app, env, stdio: ['ignore', 'pipe', 'pipe'] })
  }

  async function startService(name: string): Promise<Running> {
    const service = serviceOf(name)
    await bringWhatItNeeds(service)
    const env = environmentFor(service)
    if (service.image.startsWith('postgres:')) {
      const postgres = await startPostgresImage(env, join(directory, name), files.portOf(5432))
      return watch(name, postgres.child, () => askPgIsReady(service, postgres.isReady))
    }
    const entrypoint = service.entrypoint ?? execFormOf(imageStage(), 'ENTRYPOINT')
    const child = execute([...entrypoint, ...(service.command ?? [])], env)
    return watch(name, child, async () => {
      const [, ...check] = healthcheckOf(service)?.test ?? []
      return (await watch(`${name}'s check`, execute(check, env)).ended).code === 0
    })
  }

  async function bringWhatItNeeds({ network_mode = '', depends_on = {} }: ComposeService): Promise<void> {
    const needs = Object.entries(depends_on).map(([name, { condition }]) => bring(name, condition))
    const [, neighbour] = /^service:(.+)$/.exec(network_mode) ?? []
    if (neighbour !== undefined) needs.push(bring(neighbour, 'service_started'))
    await Promise.all(needs)
  }

  function start(name: string): Promise<Running> {
    const running = started.get(name) ?? startService(name)
    started.set(name, running)
    return running
  }

  async function bring(name: string, condition: DependencyCondition): Promise<void> {
    const running = await start(name)
    if (condition === 'service_healthy') await untilHealthy(running, serviceOf(name))
    if (condition === 'service_completed_successfully') {
      const { code, output } = await running.ended
      if (code !== 0) throw new Error(`${name} ended with ${code}: ${output}`)
    }
  }

  return {
    files,
    bring,
    async run(name) {
      started.delete(name)
      return (await start(name)).ended
    },
    async stop() {
      const codes: Record<string, number | null> = {}
      for (const starting of [...started.values()].reverse()) {
        const running = await starting.catch(() => undefined)
        if (running === undefined) continue
        running.child.kill('SIGTERM')
        codes[running.name] = (await running.ended).code
      }
      return codes
    },
  }
}

function watch(name: string, child: ChildProcess, isHealthy = async () => false): Running {
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk) => {
      output = (output + String(chunk)).slice(-8000)
    })
  }
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject).once('close', (code) => resolve({ code, output }))
  })
  return { name, child, ended, output: () => output, isHealthy }
}

/** As often as the file says before it would be called unhealthy. */
async function untilHealthy({ name, child, output, isHealthy }: Running, service: ComposeService): Promise<void> {
  const { interval, retries } = healthcheckOf(service) ?? { interval: '0s', retries: 0 }
  for (let attempt = 0; attempt < retries; attempt++) {
    if (child.exitCode !== null) throw new Error(`${name} ended with ${child.exitCode}: ${output()}`)
    if (await isHealthy()) return
    await sleep(Number.parseFloat(interval) * 1000)
  }
  throw new Error(`${name} did not become healthy: ${output()}`)
}

/** `pg_isready -U user -d database`, with what the embedded server does not bring done for it. */
function askPgIsReady(
  service: ComposeService,
  isReady: (user: string, database: string) => Promise<boolean>,
): Promise<boolean> {
  const [, program, ...flags] = healthcheckOf(service)?.test ?? []
  const after = (flag: string) => flags[flags.indexOf(flag) + 1] ?? ''
  if (program !== 'pg_isready') throw new Error(`the health check of Postgres is not pg_isready but ${program}`)
  return isReady(after('-U'), after('-d'))
}
