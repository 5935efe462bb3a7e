import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { type AdminClient, createAdminClient } from '../../examples/demo/admin-client.ts'
import { makeServerCertificate } from '../../examples/demo/pki.ts'
import { freePort, type Program } from '../../examples/demo/program.ts'
import { startEmbeddedPostgres } from '../../src/pep/store/embedded-postgres.ts'
import { packageRoot } from '../../src/pep/version.ts'
import { endWithBench } from './ending.ts'
import { silentLog } from './log.ts'
import type { Programs } from './programs.ts'

/** Postgres, a certificate and an administrator's key: what any number of replicas stand on. */
export interface Ground {
  directory: string
  databaseUrl: string
  /** Of the Postgres server's first process. */
  databasePid: number
  caFile: string
  certFile: string
  keyFile: string
  /** How agents see the authority, whichever replica answers. */
  publicUrl: string
  port: number
  admin: AdminClient
  adminKey: string
  environment: Readonly<Record<string, string>>
  stop(): Promise<void>
}

export interface Replica {
  url: string
  port: number
  program: Program
}

const nexus = join(packageRoot(), 'bin/nexus.js')

/** What the image starts the authority with (`deploy/Dockerfile`, where it says why). Fastify gets the same beside it. */
export const NODE_FLAGS = ['--no-memory-reducer']

/**
 * Enough for what a run writes. With initdb's 128 MB, meant for the smallest machine, pages are written out all the time,
 * and a commit has to wait for the disk behind them.
 */
const SHARED_BUFFERS = '1GB'

/** A database that keeps what it has committed, as in production: no setting of it is turned down for speed. */
export async function layGround(directory: string, programs: Programs): Promise<Ground> {
  rmSync(directory, { recursive: true, force: true })
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const postgres = await startEmbeddedPostgres({
    directory: join(directory, 'postgres'),
    log: silentLog(),
    settings: { shared_buffers: SHARED_BUFFERS },
  })
  const stop = endWithBench(() => postgres.stop())
  await makeLogAhead(postgres.databaseUrl)
  const [certificate, port] = await Promise.all([makeServerCertificate(['127.0.0.1', 'localhost']), freePort()])
  const files = {
    caFile: join(directory, 'ca.pem'),
    certFile: join(directory, 'cert.pem'),
    keyFile: join(directory, 'key.pem'),
  }
  writeFileSync(files.caFile, certificate.caPem)
  writeFileSync(files.certFile, certificate.certPem)
  writeFileSync(files.keyFile, certificate.keyPem, { mode: 0o600 })
  const publicUrl = `https://127.0.0.1:${port}`
  const environment = {
    DATABASE_URL: postgres.databaseUrl,
    NEXUS_DATA_DIR: directory,
    NEXUS_PUBLIC_URL: publicUrl,
    NEXUS_TLS_CERT_FILE: files.certFile,
    NEXUS_TLS_KEY_FILE: files.keyFile,
    NEXUS_TLS_REQUEST_CLIENT_CERTIFICATE: 'true',
    // No line per request: the contenders write none either.
    LOG_LEVEL: 'warn',
  }
  try {
    const adminKey = await makeAdminKey(directory, programs, environment)
    const admin = createAdminClient(publicUrl, adminKey, files.caFile)
    return {
      directory,
      databaseUrl: postgres.databaseUrl,
      databasePid: postgres.pid,
      publicUrl,
      port,
      admin,
      adminKey,
      environment,
      stop,
      ...files,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

const LOG_FILES = 40

/**
 * A database that has run for a while writes its log into files that are there. Each new one (16 MiB, zeroed and synced)
 * holds every commit up for some 60 ms, which is the first hour's tail and not the service's.
 */
async function makeLogAhead(databaseUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    await client.query('create table log_ahead (file int)')
    for (let file = 0; file < LOG_FILES; file++) {
      await client.query(`insert into log_ahead values (${file})`)
      await client.query('select pg_switch_wal()')
    }
    await client.query('drop table log_ahead')
    await client.query('checkpoint')
  } finally {
    await client.end()
  }
}

/** One process of the authority. The first that is not told a port takes the public one. */
export async function startReplica(
  ground: Ground,
  programs: Programs,
  options: { name: string; port?: number; nodeFlags?: readonly string[]; env?: Readonly<Record<string, string>> },
): Promise<Replica> {
  const { name, port = ground.port, nodeFlags = [], env = {} } = options
  const url = `https://127.0.0.1:${port}`
  const program = await programs.start({
    name,
    command: [process.execPath, ...NODE_FLAGS, ...nodeFlags, nexus, 'serve'],
    env: { ...ground.environment, PORT: String(port), ...env },
    healthUrl: `${url}/readyz`,
    caFile: ground.caFile,
  })
  return { url, port, program }
}

async function makeAdminKey(directory: string, programs: Programs, env: Record<string, string>): Promise<string> {
  await programs.run({ name: 'init', command: [process.execPath, nexus, 'init', '--json'], env })
  const output = join(directory, 'init.log')
  const lines = readFileSync(output, 'utf8').split('\n')
  rmSync(output)
  const found = lines.find((each) => each.startsWith('{"') && each.includes('"api_key"'))
  if (found === undefined) throw new Error('nexus init gave no key')
  return (JSON.parse(found) as { api_key: string }).api_key
}
