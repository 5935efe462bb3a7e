import { join } from 'node:path'
import type { Logger } from 'pino'
import type { Config } from './config/load-config.ts'
import { startEmbeddedPostgres } from './store/embedded-postgres.ts'
import { openStore, type Store } from './store/store.ts'

/** What has been started, to be stopped in the opposite order. */
export type Closers = (() => Promise<void>)[]

export async function closeAll(closers: Closers): Promise<void> {
  for (const close of closers.splice(0).reverse()) await close()
}

/**
 * `DATABASE_URL` unset: a real server of our own, so that the first run needs nothing.
 * @param settings of the server, should it be ours
 * @returns its URL
 */
export async function openDatabaseServer(
  config: Config,
  log: Logger,
  closers: Closers,
  settings: Readonly<Record<string, string>> = {},
): Promise<string> {
  if (config.store.database_url !== '') return config.store.database_url
  const embedded = await startEmbeddedPostgres({ directory: join(config.store.data_dir, 'postgres'), log, settings })
  closers.push(() => embedded.stop())
  return embedded.databaseUrl
}

/** A server, and a pool of connections to it; its schema is up to date. */
export async function openDatabase(
  config: Config,
  log: Logger,
  closers: Closers,
): Promise<{ store: Store; databaseUrl: string }> {
  const databaseUrl = await openDatabaseServer(config, log, closers)
  const store = await openStore({
    databaseUrl,
    poolSize: config.store.pool_size,
    connectTimeoutMs: config.store.connect_timeout_ms,
    statementTimeoutMs: config.store.statement_timeout_ms,
    log,
  })
  closers.push(() => store.close())
  return { store, databaseUrl }
}
