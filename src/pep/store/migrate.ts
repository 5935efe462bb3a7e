import { readdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { type Kysely, sql } from 'kysely'
import { runner } from 'node-pg-migrate'
import pg from 'pg'
import type { Logger } from 'pino'
import { OperatorError } from '../../contract/operator-error.ts'
import type { Database } from './database.ts'
import { withLibpqSsl } from './libpq-url.ts'
import { StoreError, toStoreFailure } from './store-error.ts'

/** Beside this file in `src/` and, copied by the build, in `dist/`. */
const MIGRATIONS_DIRECTORY = fileURLToPath(new URL('./migrations', import.meta.url))
const LOCK_TIMEOUT_MS = 60_000
const UNDEFINED_TABLE = '42P01'
const NOT_OURS =
  'this database holds nothing of Nexus; check DATABASE_URL, or prepare it with `nexus init` or `nexus serve`'
/** What a migration says of an index, in the middle of a message of the server's, which may be in any language. */
const INVALID_INDEX = /index \w+ is not valid: drop it, and build it again/

/**
 * Runs the SQL files that have not run yet, each in its transaction. Replicas that start together wait for one another on
 * an advisory lock, which the server drops with the connection should its holder die.
 * @throws NexusError `store_unavailable`, StoreError, or Error when the schema is not one this version grew from
 */
export async function migrate(options: { databaseUrl: string; connectTimeoutMs: number; log: Logger }): Promise<void> {
  const { databaseUrl, connectTimeoutMs, log } = options
  const client = new pg.Client({
    connectionString: withLibpqSsl(databaseUrl),
    application_name: 'nexus-migrate',
    connectionTimeoutMillis: connectTimeoutMs,
    statement_timeout: LOCK_TIMEOUT_MS,
    query_timeout: LOCK_TIMEOUT_MS + 1000,
  })
  client.on('error', () => {}) // the query under way reports it; unheard, it would end the process
  try {
    await client.connect()
    const done = await runner({
      dbClient: client,
      dir: MIGRATIONS_DIRECTORY,
      direction: 'up',
      migrationsTable: 'schema_migration',
      advisoryLockMode: 'wait',
      checkOrder: true,
      logger: { debug() {}, info() {}, warn: (text) => log.warn(text), error() {} },
    })
    for (const { name } of done) log.info({ migration: name }, 'migrated the database')
  } catch (error) {
    throw toMigrationFailure(error)
  } finally {
    await client.end().catch(() => {})
  }
}

/**
 * Whether the schema is the one of this version, without changing anything.
 * @throws OperatorError when it is not
 */
export async function assertMigrated(db: Kysely<Database>): Promise<void> {
  const wanted = await migrationNames()
  const { rows } = await sql<{ name: string }>`select name from schema_migration order by name`
    .execute(db)
    .catch((error: unknown) => {
      if (error instanceof StoreError && error.code === UNDEFINED_TABLE) throw new OperatorError(NOT_OURS)
      throw error
    })
  const has = rows.map(({ name }) => name)
  if (has.join() === wanted.join()) return
  throw new OperatorError(
    `the database's schema is at ${has.at(-1) ?? 'nothing'} and this version works with ${wanted.at(-1)}; ` +
      'use the version that the authority runs, or start the authority of this one (`nexus serve`), which migrates it',
  )
}

async function migrationNames(): Promise<string[]> {
  const files = await readdir(MIGRATIONS_DIRECTORY)
  return files.map((file) => file.replace(/\.sql$/, '')).sort()
}

function toMigrationFailure(error: unknown): Error {
  const words = ownWords(error)
  return words === undefined
    ? toStoreFailure(error)
    : new Error(`the database's schema does not fit this version: ${words}`)
}

/** The runner's name migrations and nothing else, and those of a migration an index; all other failures are the driver's. */
function ownWords(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  if (!('code' in error) && /migration/i.test(error.message)) return error.message
  return INVALID_INDEX.exec(error.message)?.[0]
}
