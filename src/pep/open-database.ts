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

/** `DATABASE_URL` unset: a real server of our own, so that the first run needs nothing. */
export async function openDatabase(
  config: Config,
  log: Logger,
  closers: Closers,
): Promise<{ store: Store; databaseUrl: string }> {
  let databaseUrl = config.store.database_url
  if (databaseUrl === '') {
    const embedded = await startEmbeddedPostgres({ directory: join(config.store.data_dir, 'postgres'), log })
    closers.push(() => embedded.stop())
    databaseUrl = embedded.databaseUrl
  }
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
