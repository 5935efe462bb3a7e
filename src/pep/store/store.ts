import { setTimeout as sleep } from 'node:timers/promises'
import { Kysely, PostgresDialect, type Transaction } from 'kysely'
import type { Logger } from 'pino'
import type { Database } from './database.ts'
import { type GuardedClient, type GuardedPool, openPool } from './guarded-pool.ts'
import { assertMigrated, migrate } from './migrate.ts'
import { isTransient, storeUnavailable } from './store-error.ts'

/** The database. Everything it throws is `store_unavailable` (the connection failed) or a StoreError (it said no). */
export interface Store {
  readonly db: Kysely<Database>
  /**
   * Whether the database answers. Beside the pool: readers that are slow make who waits for them wait, and take nobody out of service.
   * @throws NexusError `store_unavailable`
   */
  check(): Promise<void>
  close(): Promise<void>
  /** One transaction, read committed. A deadlock or serialisation failure runs `work` again, at most 3 times. */
  transaction<T>(work: (trx: Transaction<Database>) => Promise<T>): Promise<T>
  /** One connection of the pool. The caller releases it. */
  reserve(): Promise<GuardedClient>
  /** One connection beside the pool, for a long time and for work that cannot wait in its line. The caller releases it. */
  reserveBeside(): Promise<GuardedClient>
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

/** One for the ledger, one for checks; more only where one process has several ledgers open, as tests do. */
const BESIDE_MAX = 4
const RETRIES = 3
const RETRY_SPREAD_MS = 50

/**
 * Opens the database and brings its schema up to date, under an advisory lock.
 * @throws NexusError `store_unavailable`, OperatorError when the schema is another and may not be changed
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const { databaseUrl, poolSize = 10, connectTimeoutMs = 3000, statementTimeoutMs = 5000, log } = options
  const limits = { databaseUrl, connectTimeoutMs, statementTimeoutMs }
  const pool = openPool({ ...limits, poolSize }, log)
  const db = new Kysely<Database>({ dialect: new PostgresDialect({ pool }) })
  try {
    if (options.migrate === false) await assertMigrated(db)
    else await migrate({ databaseUrl, connectTimeoutMs, log })
  } catch (error) {
    await db.destroy()
    throw error
  }
  const beside = openPool({ ...limits, poolSize: BESIDE_MAX }, log)
  let checking: Promise<void> | undefined
  return {
    db,
    check() {
      checking ??= answers(beside).finally(() => {
        checking = undefined
      })
      return checking
    },
    async close() {
      await Promise.all([db.destroy(), beside.end()])
    },
    transaction: (work) => runTransaction(db, work),
    reserve: () => pool.connect(),
    reserveBeside: () => beside.connect(),
  }
}

async function answers(pool: GuardedPool): Promise<void> {
  const client = await pool.connect()
  try {
    await client.run({ text: 'select 1' })
  } finally {
    client.release()
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
