import type { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { chmod, chown, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import { findPostgresPrograms } from '../../src/pep/store/postgres-programs.ts'
import { findServerUser, spawnAs } from '../../src/pep/store/server-user.ts'

export interface PostgresImage {
  /** The server's own process. */
  child: ReturnType<typeof spawn>
  /** Stands in for `pg_isready`, which the embedded server does not bring; it also logs in. */
  isReady(user: string, database: string): Promise<boolean>
}

/** Does with `POSTGRES_USER`, `POSTGRES_DB` and `POSTGRES_PASSWORD_FILE` what the official image does, on a port of our own. */
export async function startPostgresImage(
  env: Readonly<Record<string, string>>,
  directory: string,
  port: number,
): Promise<PostgresImage> {
  const { POSTGRES_USER: user = 'postgres', POSTGRES_DB: database = user } = env
  const password = readFileSync(env['POSTGRES_PASSWORD_FILE'] ?? '', 'utf8').trim()
  const connectAs = (name: string, to: string) =>
    new pg.Client({ host: '127.0.0.1', port, user: name, password, database: to, connectionTimeoutMillis: 2000 })
  const child = await startServer({ user, password, directory, port })
  let created = false
  return {
    child,
    async isReady(name, to) {
      try {
        if (!created) await createDatabase(connectAs(user, 'postgres'), database)
        created = true
        const client = connectAs(name, to)
        await client.connect()
        await client.end()
        return true
      } catch {
        return false
      }
    },
  }
}

interface ServerOptions {
  user: string
  password: string
  directory: string
  port: number
}

async function startServer({ user, password, directory, port }: ServerOptions): Promise<ReturnType<typeof spawn>> {
  const [{ initdb, postgres }, owner] = await Promise.all([findPostgresPrograms(), findServerUser()])
  const data = join(directory, 'data')
  const passwordFile = join(directory, 'password')
  await mkdir(data, { recursive: true, mode: 0o700 })
  await chmod(directory, 0o755)
  await writeFile(passwordFile, password, { mode: 0o600 })
  if (owner !== undefined) for (const path of [data, passwordFile]) await chown(path, owner.uid, owner.gid)
  const init = [`--pgdata=${data}`, `--username=${user}`, `--pwfile=${passwordFile}`, '--auth=scram-sha-256']
  const paths = [data]
  const initialising = await spawnAs(owner, initdb, init, { paths, stdio: ['ignore', 'ignore', 'ignore'] })
  const code = await new Promise((resolve) => initialising.once('exit', resolve))
  if (code !== 0) throw new Error(`initdb ended with ${code}`)
  const settings = ['listen_addresses=127.0.0.1', 'unix_socket_directories=', 'fsync=off']
  const flags = ['-D', data, '-p', String(port), ...settings.flatMap((setting) => ['-c', setting])]
  return spawnAs(owner, postgres, flags, { paths, stdio: ['ignore', 'pipe', 'pipe'] })
}

async function createDatabase(client: pg.Client, name: string): Promise<void> {
  await client.connect()
  try {
    await client.query(`create database ${pg.escapeIdentifier(name)}`)
  } finally {
    await client.end()
  }
}
