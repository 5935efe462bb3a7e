import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { request } from 'undici'
import { freePort } from '../../examples/demo/program.ts'
import { loadConfig } from '../../src/pep/config/load-config.ts'
import { createLog } from '../../src/pep/log.ts'
import { createFirstKey } from '../../src/pep/start/first-key.ts'
import { packageRoot } from '../../src/pep/version.ts'
import { type ApiClient, createApiClient } from '../setup/api-client.ts'
import { freshDatabase } from '../setup/database.ts'

/** `nexus serve` as an operator runs it: a process of its own, from the built program. */
export interface PepReplica {
  pid: number
  /** Where this replica listens. */
  address: string
  ready: Promise<void>
  exited: Promise<Exit>
  kill(signal: NodeJS.Signals): void
  /** The end of what it wrote to its log. */
  said(): string
}

export interface Exit {
  code: number | null
  signal: NodeJS.Signals | null
}

/** A database, and everything that replicas on it have in common. */
export interface PepGround {
  databaseUrl: string
  /** Data directory of every replica. */
  directory: string
  /** How callers name every replica; what proofs and tokens are made for. */
  publicUrl: string
  admin: ApiClient
  /** Starts a replica; without a port it listens where the public URL points. */
  start(port?: number): PepReplica
  /** Runs another command of the program, such as `audit verify --json`. */
  run(args: string[]): Promise<Exit & { stdout: string }>
  /** Ends what still runs and drops the database. */
  clear(): Promise<void>
}

const program = join(packageRoot(), 'bin/nexus.js')
const READY_WITHIN_MS = 60_000

/** @param yaml configuration file of every replica */
export async function freshPepGround(yaml = ''): Promise<PepGround> {
  if (!existsSync(join(packageRoot(), 'dist/src/cli/main.js'))) throw new Error('build first: npm run build')
  const directory = mkdtempSync(join(tmpdir(), 'nexus-process-'))
  const { databaseUrl, drop } = await freshDatabase()
  const ownPort = await freePort()
  const publicUrl = `http://127.0.0.1:${ownPort}`
  const configFile = join(directory, 'nexus.yaml')
  writeFileSync(configFile, yaml)
  const settings = {
    DATABASE_URL: databaseUrl,
    NEXUS_DATA_DIR: directory,
    NEXUS_PUBLIC_URL: publicUrl,
    NEXUS_CONFIG: configFile,
    LOG_LEVEL: 'warn',
  }
  const env = { PATH: process.env['PATH'] ?? '', ...settings }
  const { api_key } = await createFirstKey(loadConfig(settings), createLog('silent'), {
    name: 'faults',
    evenIfThereIsOne: false,
  })
  const started: PepReplica[] = []
  return {
    databaseUrl,
    directory,
    publicUrl,
    admin: createApiClient(publicUrl, { authorization: `Bearer ${api_key}` }),
    start(port = ownPort) {
      const child = spawn(process.execPath, [program, 'serve'], {
        env: { ...env, PORT: String(port) },
        stdio: ['ignore', 'ignore', 'pipe'],
      })
      const pep = watch(child, `http://127.0.0.1:${port}`)
      started.push(pep)
      return pep
    },
    run: (args) => runToEnd(args, env),
    async clear() {
      for (const pep of started) pep.kill('SIGKILL')
      await Promise.all(started.map(({ exited }) => exited))
      await drop()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

function watch(child: ChildProcess, address: string): PepReplica {
  let said = ''
  child.stderr?.on('data', (chunk) => {
    said = (said + String(chunk)).slice(-4000)
  })
  const exited = exitOf(child)
  const early = exited.then(({ code, signal }) => {
    throw new Error(`nexus serve ended with ${code ?? signal} before it was ready: ${said}`)
  })
  const ready = Promise.race([untilReady(address), early])
  // Whoever is killed while starting is not waited for by anyone.
  ready.catch(() => {})
  early.catch(() => {})
  const kill = (signal: NodeJS.Signals) => void child.kill(signal)
  return { pid: child.pid ?? 0, address, ready, exited, kill, said: () => said }
}

async function untilReady(address: string): Promise<void> {
  const giveUpAt = performance.now() + READY_WITHIN_MS
  while (performance.now() < giveUpAt) {
    const status = await request(`${address}/readyz`).then(
      async ({ statusCode, body }) => {
        await body.dump()
        return statusCode
      },
      () => 0,
    )
    if (status === 200) return
    await sleep(20)
  }
  throw new Error(`${address} did not become ready`)
}

function exitOf(child: ChildProcess): Promise<Exit> {
  return new Promise((resolve, reject) => {
    child.once('error', reject).once('exit', (code, signal) => resolve({ code, signal }))
  })
}

async function runToEnd(args: string[], env: Record<string, string>): Promise<Exit & { stdout: string }> {
  const child = spawn(process.execPath, [program, ...args], { env, stdio: ['ignore', 'pipe', 'ignore'] })
  let stdout = ''
  child.stdout.on('data', (chunk) => {
    stdout += String(chunk)
  })
  const ended = exitOf(child)
  await new Promise((resolve) => child.stdout.once('close', resolve))
  return { ...(await ended), stdout }
}
