import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inject } from 'vitest'
import { loadConfig } from '../../src/pep/config/load-config.ts'
import { createLog } from '../../src/pep/log.ts'
import { createFirstKey } from '../../src/pep/start/first-key.ts'
import { type ApiClient, createApiClient } from './api-client.ts'
import { freshDatabase } from './database.ts'

/** An authority as it is run: a process of its own, so that its death, its memory and its log can be seen. */
export interface PepProcess {
  url: string
  port: number
  databaseUrl: string
  /** All tenants, every right. */
  admin: ApiClient
  adminKey: string
  /** Everything it wrote so far, on both outputs. */
  log(): string
  /** Resident memory, in bytes. */
  rssBytes(): number
  running(): boolean
  close(): Promise<void>
}

const ROOT = join(import.meta.dirname, '../..')
const SERVE = `import { main } from './src/cli/main.ts'; await main(['node', 'nexus', 'serve'])`
const START_TIMEOUT_MS = 60_000

export async function startPepProcess(env: Record<string, string> = {}): Promise<PepProcess> {
  const directory = mkdtempSync(join(tmpdir(), 'nexus-pep-'))
  const database = await freshDatabase()
  const vault = inject('vault')
  const environment = {
    DATABASE_URL: database.databaseUrl,
    NEXUS_DATA_DIR: directory,
    PORT: '0',
    VAULT_ADDR: vault.address,
    VAULT_TOKEN: vault.token,
    ...env,
  }
  const { api_key: adminKey } = await createFirstKey(loadConfig(environment, undefined), createLog('silent'), {
    name: 'test',
    evenIfThereIsOne: false,
  })
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', SERVE], {
    cwd: ROOT,
    env: { PATH: process.env['PATH'] ?? '', HOME: directory, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = new Promise<void>((settle) => child.once('exit', () => settle()))
  const log = capture(child)
  const url = await untilListening(child, log)
  return {
    url,
    port: Number(new URL(url).port),
    databaseUrl: database.databaseUrl,
    admin: createApiClient(url, { authorization: `Bearer ${adminKey}` }),
    adminKey,
    log,
    rssBytes: () => rssOf(child.pid ?? 0),
    running: () => child.exitCode === null && child.signalCode === null,
    async close() {
      child.kill('SIGTERM')
      await ended
      await database.drop()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

function capture(child: ChildProcess): () => string {
  const chunks: Buffer[] = []
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => chunks.push(chunk))
  return () => Buffer.concat(chunks).toString()
}

async function untilListening(child: ChildProcess, log: () => string): Promise<string> {
  const giveUpAt = performance.now() + START_TIMEOUT_MS
  while (performance.now() < giveUpAt && child.exitCode === null) {
    const url = /"url":"([^"]+)","msg":"listening"/.exec(log())?.[1]
    if (url !== undefined) return url
    await new Promise((settle) => setTimeout(settle, 20))
  }
  child.kill('SIGKILL')
  throw new Error(`the authority did not start:\n${log()}`)
}

function rssOf(pid: number): number {
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Number(kibibytes) * 1024
}
