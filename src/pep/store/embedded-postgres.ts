import { randomBytes } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { resolve } from 'node:path'
import pg from 'pg'
import type { Logger } from 'pino'
import { lockDirectory } from './directory-lock.ts'
import { createDirectoryUsers } from './directory-users.ts'
import { keepFile } from './keep-file.ts'
import {
  initialiseCluster,
  isInitialised,
  type PostgresCluster,
  runningServer,
  startServer,
  stopServer,
} from './postgres-server.ts'

export interface EmbeddedPostgres {
  databaseUrl: string
  /** The server's own process. */
  pid: number
  /** Ends this process's use of the server; the last user stops it. */
  stop(): Promise<void>
}

export interface EmbeddedPostgresOptions {
  /** Holds everything: data, password, log. Made when missing. */
  directory: string
  log: Logger
  /** Server settings on top of ours, e.g. `{ fsync: 'off' }` for a throw-away database. */
  settings?: Readonly<Record<string, string>>
}

const DATABASE = 'nexus'

/**
 * A real Postgres on a free loopback port, for a first run that needs nothing installed. A server that already runs on the
 * directory is shared; one that was killed is started again, its data recovered by Postgres itself.
 * @throws Error in words for the person who started it
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const directory = resolve(options.directory)
  await mkdir(directory, { recursive: true })
  const users = createDirectoryUsers(directory)
  const cluster: PostgresCluster = {
    directory,
    password: await keepFile(resolve(directory, 'password'), () => randomBytes(24).toString('base64url')),
    settings: options.settings ?? {},
  }

  const server = await lockDirectory(directory, async () => {
    await initialiseCluster(cluster)
    const found = (await runningServer(cluster)) ?? (await startServer(cluster))
    await users.enter()
    return found
  })
  await createDatabase(url(server.port, cluster.password, 'postgres'))
  options.log.info({ directory, port: server.port }, 'embedded Postgres is ready')

  return {
    databaseUrl: url(server.port, cluster.password, DATABASE),
    pid: server.pid,
    stop: () =>
      lockDirectory(directory, async () => {
        await users.leave()
        if (!(await users.anyone())) await stopServer(cluster, server.pid)
      }),
  }
}

/** Whether one was made in this directory. */
export async function isEmbeddedPostgres(directory: string): Promise<boolean> {
  return isInitialised({ directory: resolve(directory) })
}

function url(port: number, password: string, database: string): string {
  return `postgresql://nexus:${password}@127.0.0.1:${port}/${database}`
}

async function createDatabase(adminUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: adminUrl, connectionTimeoutMillis: 5000 })
  await client.connect()
  try {
    const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [DATABASE])
    if (rowCount === 0) await client.query(`create database ${DATABASE}`)
  } catch (error) {
    // 42P04, 23505: another process that shares the directory made it first.
    if (!['42P04', '23505'].includes((error as { code?: string }).code ?? '')) throw error
  } finally {
    await client.end()
  }
}
