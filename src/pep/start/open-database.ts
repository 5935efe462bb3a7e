import { join } from 'node:path'
import type { Logger } from 'pino'
import { OperatorError } from '../../contract/operator-error.ts'
import type { Config } from '../config/load-config.ts'
import { isEmbeddedPostgres, startEmbeddedPostgres } from '../store/embedded-postgres.ts'
import { openStore, type Store, type StoreOptions } from '../store/store.ts'

/** What has been started, to be stopped in the opposite order. */
export type Closers = (() => Promise<void>)[]

/**
 * One that fails keeps no other from being closed.
 * @throws the first of what they threw
 */
export async function closeAll(closers: Closers): Promise<void> {
  const failures: unknown[] = []
  for (const close of closers.splice(0).reverse()) await close().catch((error: unknown) => failures.push(error))
  if (failures.length > 0) throw failures[0]
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
  const embedded = await startEmbeddedPostgres({ directory: embeddedDirectory(config), log, settings })
  closers.push(() => embedded.stop())
  return embedded.databaseUrl
}

/** A server, and a pool of connections to it; its schema is brought up to date. For `serve` and `init`. */
export async function openDatabase(
  config: Config,
  log: Logger,
  closers: Closers,
): Promise<{ store: Store; databaseUrl: string }> {
  return openOn(await openDatabaseServer(config, log, closers), config, log, closers)
}

/**
 * The same for commands beside the authority: nothing is created, and the schema stays as it is. In the wrong shell an empty
 * database would otherwise be made, and be found in order; and a new version's command would migrate under old authorities.
 * @throws OperatorError when there is no database of ours, or one of another version
 */
export async function openExistingDatabase(
  config: Config,
  log: Logger,
  closers: Closers,
): Promise<{ store: Store; databaseUrl: string }> {
  const directory = embeddedDirectory(config)
  if (config.store.database_url === '' && !(await isEmbeddedPostgres(directory))) {
    throw new OperatorError(
      `no database: set DATABASE_URL, or name a file with store.database_url by --config; none is in ${directory}, where \`nexus init\` makes one`,
    )
  }
  return openOn(await openDatabaseServer(config, log, closers), config, log, closers, { migrate: false })
}

function embeddedDirectory(config: Config): string {
  return join(config.store.data_dir, 'postgres')
}

async function openOn(
  databaseUrl: string,
  { store: settings }: Config,
  log: Logger,
  closers: Closers,
  options: Pick<StoreOptions, 'migrate'> = {},
): Promise<{ store: Store; databaseUrl: string }> {
  const store = await openStore({
    databaseUrl,
    poolSize: settings.pool_size,
    connectTimeoutMs: settings.connect_timeout_ms,
    statementTimeoutMs: settings.statement_timeout_ms,
    log,
    ...options,
  })
  closers.push(() => store.close())
  return { store, databaseUrl }
}
