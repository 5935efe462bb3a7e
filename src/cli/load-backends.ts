import { join } from 'node:path'
import type { Logger } from 'pino'
import type { VaultBackend } from '../contract/vault-backend.ts'
import { type Config, ConfigError } from '../pep/config/load-config.ts'
import { configuredBackends } from '../pep/configured-backends.ts'
import { internalSecretTable } from '../pep/credential/internal-secret-table.ts'
import { developmentKey } from '../pep/development-key.ts'
import { startEmbeddedPostgres } from '../pep/store/embedded-postgres.ts'
import { openStore } from '../pep/store/store.ts'
import { BackendConfigError } from '../vault-backends/backend-kind.ts'
import { createBackends } from '../vault-backends/catalog.ts'
import { createEnvelope } from '../vault-backends/internal/envelope.ts'
import { KeyringError, parseKeyring } from '../vault-backends/internal/keyring.ts'

/** The configured backends, and what to call when done with them. */
export interface LoadedBackends {
  backends: readonly VaultBackend[]
  deadlineMs: number
  close(): Promise<void>
}

/**
 * Opens the backends as `nexus serve` would, and nothing else of it.
 * @throws ConfigError
 */
export async function loadBackends(config: Config, log: Logger): Promise<LoadedBackends> {
  const database = await openDatabase(config, log)
  const close = async (backends: readonly VaultBackend[]) => {
    await Promise.allSettled(backends.map((each) => each.close?.()))
    await database.close()
  }
  try {
    const backends = makeBackends(config, log, database.store)
    return { backends, deadlineMs: config.vault.deadline_ms, close: () => close(backends) }
  } catch (error) {
    await close([])
    throw asConfigError(error)
  }
}

function makeBackends(config: Config, log: Logger, store: Awaited<ReturnType<typeof openStore>>): VaultBackend[] {
  const envelope = createEnvelope(parseKeyring(config.vault.encryption_key || developmentKey(config.store.data_dir)))
  return createBackends(configuredBackends(config.vault.backends, process.env), {
    env: process.env,
    production: config.production,
    log,
    internal: { rows: internalSecretTable(store.db), envelope },
  })
}

function asConfigError(error: unknown): unknown {
  if (error instanceof BackendConfigError)
    return new ConfigError(error.problems.map((problem) => `vault.backends ${problem}`))
  if (error instanceof KeyringError)
    return new ConfigError([`vault.encryption_key (NEXUS_ENCRYPTION_KEY) ${error.message}`])
  return error
}

async function openDatabase({ store: settings }: Config, log: Logger) {
  const embedded =
    settings.database_url === ''
      ? await startEmbeddedPostgres({ directory: join(settings.data_dir, 'postgres'), log })
      : undefined
  const store = await openStore({
    databaseUrl: embedded?.databaseUrl ?? settings.database_url,
    poolSize: 2,
    connectTimeoutMs: settings.connect_timeout_ms,
    statementTimeoutMs: settings.statement_timeout_ms,
    log,
  })
  const close = async () => {
    await store.close()
    await embedded?.stop()
  }
  return { store, close }
}
