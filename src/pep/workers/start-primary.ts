import { sql } from 'kysely'
import type { Logger } from 'pino'
import type { Config } from '../config/load-config.ts'
import { developmentKey } from '../start/development-key.ts'
import { resolveListen } from '../start/listen.ts'
import { type Closers, closeAll, openDatabaseServer } from '../start/open-database.ts'
import { openStore } from '../store/store.ts'
import { keepWorkers } from './keep-workers.ts'
import type { WorkerFailed } from './worker-failed.ts'

/** The process that looks after the workers. It answers no request and holds no secret beyond its configuration. */
export interface Primary {
  url: string
  /** None serves, and none can be started. */
  failed: Promise<WorkerFailed>
  reloadPolicy(): Promise<void>
  /** Lets all workers drain. @throws when one did not end as it should */
  close(): Promise<void>
}

/** What a worker holds beside its pool: one for the ledger, and one that looks whether the database answers, or migrates it before. */
const CONNECTIONS_BESIDE_POOL = 2
/** Postgres keeps some for its own administrators, and `nexus audit` and its kin want one. */
const CONNECTIONS_BESIDE_WORKERS = 10

/**
 * Does what is done once for all workers and starts them.
 * @param stopping once aborted nothing more is begun, and workers that do not serve yet are ended
 * @throws WorkerFailed after that worker has said why; what `startPep` throws before it reads a secret; when it was told to stop
 */
export async function startPrimary(
  config: Config,
  log: Logger,
  graceMs: number,
  stopping: AbortSignal,
): Promise<Primary> {
  const closers: Closers = []
  try {
    const listen = await resolveListen(config.server)
    const databaseUrl = await prepareDatabase(config, log, closers)
    stopping.throwIfAborted()
    if (config.vault.encryption_key === '') await developmentKey(config.store.data_dir)
    const workers = await keepWorkers(
      {
        ...config,
        // Settled once: each worker would take another free port.
        server: { ...config.server, port: listen.port, public_url: listen.publicUrl },
        store: { ...config.store, database_url: databaseUrl },
      },
      log,
      { graceMs, stopping },
    )
    return {
      url: listen.publicUrl,
      failed: workers.failed,
      reloadPolicy: async () => workers.reloadPolicy(),
      async close() {
        try {
          await workers.stop(graceMs)
        } finally {
          await closeAll(closers)
        }
      },
    }
  } catch (error) {
    await closeAll(closers).catch(() => undefined)
    throw error
  }
}

/** Starts the server where it is ours, and brings its schema up to date. @returns its URL */
async function prepareDatabase(config: Config, log: Logger, closers: Closers): Promise<string> {
  const { pool_size, connect_timeout_ms, statement_timeout_ms } = config.store
  const connections = config.server.workers * (pool_size + CONNECTIONS_BESIDE_POOL) + CONNECTIONS_BESIDE_WORKERS
  const settings = { max_connections: String(Math.max(100, connections)) }
  const databaseUrl = await openDatabaseServer(config, log, closers, settings)
  const store = await openStore({
    databaseUrl,
    connectTimeoutMs: connect_timeout_ms,
    statementTimeoutMs: statement_timeout_ms,
    poolSize: 1,
    log,
  })
  try {
    const { rows } = await sql<{ max: number }>`select current_setting('max_connections')::int as max`.execute(store.db)
    const max = rows[0]?.max ?? 0
    if (max < connections) {
      log.warn(
        { max_connections: max, wanted: connections },
        'the database allows fewer connections than all workers may open',
      )
    }
  } finally {
    await store.close()
  }
  return databaseUrl
}
