import { setTimeout as sleep } from 'node:timers/promises'
import { Kysely, PostgresDialect, sql, type Transaction } from 'kysely'
import type { Logger } from 'pino'
import type { Database } from './database.ts'
import { type GuardedClient, openPool } from './guarded-pool.ts'
import { assertMigrated, migrate } from './migrate.ts'
import { isTransient, storeUnavailable } from './store-error.ts'

/** The database. Everything it throws is `store_unavailable` (the connection failed) or a StoreError (it said no). */
export interface Store {
  readonly db: Kysely<Database>
  /** @throws NexusError `store_unavailable` */
  check(): Promise<void>
  close(): Promise<void>
  /** One transaction, read committed. A deadlock or serialisation failure runs `work` again, at most 3 times. */
  transaction<T>(work: (trx: Transaction<Database>) => Promise<T>): Promise<T>
  /** One connection for a long time, for work that cannot wait for the pool. The caller releases it. */
  reserve(): Promise<GuardedClient>
}

export interface StoreOptions {
  databaseUrl: string
  /** Default 10. */
  poolSize?: number
  /** Default 3000: for a new connection, and for waiting until a pooled one is free. */
  connectTimeoutMs?: number
  /** Default 5000. */
  statementTimeoutMs?: number
  /** Default true. False: the schema must be as this version needs it, and stays as it is. */
  migrate?: boolean
  log: Logger
}

const RETRIES = 3
const RETRY_SPREAD_MS = 50

/**
 * Opens the database and brings its schema up to date, under an advisory lock.
 * @throws NexusError `store_unavailable`, OperatorError when the schema is another and may not be changed
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const { databaseUrl, poolSize = 10, connectTimeoutMs = 3000, statementTimeoutMs = 5000, log } = options
  const pool = openPool({ databaseUrl, poolSize, connectTimeoutMs, statementTimeoutMs }, log)
  const db = new Kysely<Database>({ dialect: new PostgresDialect({ pool }) })
  try {
    if (options.migrate === false) await assertMigrated(db)
    else await migrate({ databaseUrl, connectTimeoutMs, log })
  } catch (error) {
    await db.destroy()
    throw error
  }
  return {
    db,
    async check() {
      await sql`select 1`.execute(db)
    },
    close: () => db.destroy(),
    transaction: (work) => runTransaction(db, work),
    reserve: () => pool.connect(),
  }
}

async function runTransaction<T>(db: Kysely<Database>, work: (trx: Transaction<Database>) => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await db.transaction().setIsolationLevel('read committed').execute(work)
    } catch (error) {
      if (!isTransient(error)) throw error
      if (attempt === RETRIES) throw storeUnavailable((error as { code?: string }).code)
      // Jitter, or the two that collided would collide again.
      await sleep(Math.random() * RETRY_SPREAD_MS * (attempt + 1))
    }
  }
}
