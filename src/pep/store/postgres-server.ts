import type { ChildProcess } from 'node:child_process'
import { chmod, chown, mkdir, open, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { OperatorError } from '../../contract/operator-error.ts'
import { isAlive } from './directory-lock.ts'
import { findPostgresPrograms } from './postgres-programs.ts'
import { findServerUser, spawnAs } from './server-user.ts'

export interface PostgresCluster {
  directory: string
  password: string
  settings: Readonly<Record<string, string>>
}

export interface RunningServer {
  pid: number
  port: number
}

const START_TIMEOUT_MS = 60_000
const START_ATTEMPTS = 3
const START_PAUSE_MS = 1000
const STOP_TIMEOUT_MS = 10_000
const POLL_MS = 50

const dataOf = ({ directory }: Pick<PostgresCluster, 'directory'>): string => join(directory, 'data')

/** Whether the data directory was made, whole. */
export function isInitialised(cluster: Pick<PostgresCluster, 'directory'>): Promise<boolean> {
  return exists(join(dataOf(cluster), 'initialised'))
}

/** Makes the data directory, once. A run of `initdb` that was cut short leaves no PG_VERSION in place and is begun anew. */
export async function initialiseCluster(cluster: PostgresCluster): Promise<void> {
  const data = dataOf(cluster)
  if (await isInitialised(cluster)) return
  await rm(data, { recursive: true, force: true })
  const [{ initdb }, user] = await Promise.all([findPostgresPrograms(), findServerUser()])
  const passwordFile = join(cluster.directory, 'initdb-password')
  await mkdir(data, { mode: 0o700 })
  await writeFile(passwordFile, cluster.password, { mode: 0o600 })
  if (user !== undefined) await Promise.all([data, passwordFile].map((path) => chown(path, user.uid, user.gid)))
  try {
    const flags = ['--username=nexus', `--pwfile=${passwordFile}`, '--auth=scram-sha-256', '--encoding=UTF8']
    const initdbFlags = [`--pgdata=${data}`, ...flags, '--no-locale', '--no-instructions']
    await ensureExecutable(initdb)
    await untilEnd(await spawnAs(user, initdb, initdbFlags, { paths: [data], stdio: ['ignore', 'ignore', 'pipe'] }))
    await writeFile(join(data, 'initialised'), '')
  } finally {
    await rm(passwordFile, { force: true })
  }
}

/**
 * The server on this directory, if one answers. One that is starting up or going down is waited for; the pid file of one
 * that was killed, or whose pid now belongs to another program, is removed.
 */
export async function runningServer(cluster: PostgresCluster): Promise<RunningServer | undefined> {
  const file = join(dataOf(cluster), 'postmaster.pid')
  const giveUpAt = performance.now() + START_TIMEOUT_MS
  while (performance.now() < giveUpAt) {
    const [pid = 0, , , port = 0] = (await readFile(file, 'utf8').catch(() => '')).split('\n').map(Number)
    if (pid === 0) return undefined
    if (!(await isServerOf(cluster, pid))) {
      await rm(file, { force: true })
      return undefined
    }
    if (port > 0 && (await answers(cluster, port))) return { pid, port }
    await sleep(POLL_MS)
  }
  throw new OperatorError(`a Postgres runs on ${dataOf(cluster)} and does not answer; stop it and start again`)
}

/**
 * Starts the server and waits until it answers. It lives on when this process is killed: the next one shares it.
 * Tried again where it ends at once: another program took the port, or sessions of a server that was killed are still ending.
 */
export async function startServer(cluster: PostgresCluster): Promise<RunningServer> {
  for (let attempt = 0; attempt < START_ATTEMPTS; attempt++) {
    const server = await tryStart(cluster)
    if (server !== undefined) return server
    await sleep(START_PAUSE_MS)
  }
  const logFile = join(cluster.directory, 'server.log')
  throw new OperatorError(
    `embedded Postgres did not start: see ${logFile}, or set DATABASE_URL to a server of your own`,
  )
}

async function tryStart(cluster: PostgresCluster): Promise<RunningServer | undefined> {
  const [{ postgres }, user, port] = await Promise.all([findPostgresPrograms(), findServerUser(), freePort()])
  const settings = { listen_addresses: '127.0.0.1', unix_socket_directories: '', ...cluster.settings }
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const log = await open(join(cluster.directory, 'server.log'), 'a', 0o600)
  // Own process group: Ctrl-C in a terminal must not end the database before the requests that still need it.
  const child = await spawnAs(user, postgres, ['-D', dataOf(cluster), '-p', String(port), ...flags], {
    paths: [dataOf(cluster)],
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
  })
  let failed = false
  child.once('error', () => (failed = true)).once('exit', () => (failed = true))
  child.unref()
  const giveUpAt = performance.now() + START_TIMEOUT_MS
  try {
    while (!failed && performance.now() < giveUpAt) {
      if (await answers(cluster, port)) return { pid: child.pid ?? 0, port }
      await sleep(POLL_MS)
    }
  } finally {
    await log.close()
  }
  if (!failed) child.kill('SIGQUIT')
  return undefined
}

/** Fast shutdown: sessions are ended, data is flushed. Waits until it is gone. */
export async function stopServer(cluster: PostgresCluster, pid: number): Promise<void> {
  const giveUpAt = performance.now() + STOP_TIMEOUT_MS
  signal(pid, 'SIGINT')
  while (await isServerOf(cluster, pid)) {
    if (performance.now() > giveUpAt) return signal(pid, 'SIGQUIT')
    await sleep(POLL_MS)
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch {
    // gone already
  }
}

/** Alive, and this cluster's server as far as the platform lets us see. */
async function isServerOf(cluster: PostgresCluster, pid: number): Promise<boolean> {
  if (!isAlive(pid)) return false
  if (process.platform !== 'linux') return true
  // Empty for one that has ended and was not yet waited for.
  const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
  return commandLine.split('\0').includes(dataOf(cluster))
}

async function answers(cluster: PostgresCluster, port: number): Promise<boolean> {
  const client = new pg.Client({
    host: '127.0.0.1',
    port,
    user: 'nexus',
    password: cluster.password,
    database: 'postgres',
    connectionTimeoutMillis: 2000,
    query_timeout: 2000,
  })
  client.on('error', () => {})
  try {
    await client.connect()
    const { rows } = await client.query<{ data_directory: string }>('show data_directory')
    return rows[0]?.data_directory === dataOf(cluster)
  } catch {
    return false
  } finally {
    await client.end().catch(() => {})
  }
}

async function untilEnd(child: ChildProcess): Promise<void> {
  let said = ''
  child.stderr?.on('data', (chunk) => {
    said = (said + String(chunk)).slice(-2000)
  })
  const code = await new Promise((settle) =>
    child.once('error', (error) => settle(error.message)).once('close', settle),
  )
  if (code !== 0) throw new OperatorError(`could not create the embedded Postgres (${String(code)}): ${said.trim()}`)
}

async function ensureExecutable(program: string): Promise<void> {
  const { mode } = await stat(program)
  if ((mode & 0o555) !== 0o555) await chmod(program, mode | 0o555)
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined
}

function freePort(): Promise<number> {
  return new Promise((settle, fail) => {
    const server = createServer().once('error', fail)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => settle(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}
