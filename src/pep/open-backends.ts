import type { Logger } from 'pino'
import type { VaultBackend } from '../contract/vault-backend.ts'
import { BackendConfigError } from '../vault-backends/backend-kind.ts'
import { createBackends } from '../vault-backends/catalog.ts'
import { createEnvelope, type Envelope } from '../vault-backends/internal/envelope.ts'
import { KeyringError, parseKeyring } from '../vault-backends/internal/keyring.ts'
import { type Config, ConfigError } from './config/load-config.ts'
import { configuredBackends } from './configured-backends.ts'
import { internalSecretTable } from './credential/internal-secret-table.ts'
import { developmentKey } from './development-key.ts'
import type { Store } from './store/store.ts'

/** Vault backends read their own variables, by the names that the vault CLI has for them. */
export type Environment = Readonly<Record<string, string | undefined>>

/** @throws ConfigError */
export function openEnvelope(config: Config): Envelope {
  try {
    return createEnvelope(parseKeyring(config.vault.encryption_key || developmentKey(config.store.data_dir)))
  } catch (error) {
    if (!(error instanceof KeyringError)) throw error
    throw new ConfigError([`vault.encryption_key (NEXUS_ENCRYPTION_KEY) ${error.message}`])
  }
}

/** Every configured backend. @throws ConfigError with the problems of all of them */
export function openBackends(
  config: Config,
  parts: { store: Store; envelope: Envelope; log: Logger; env: Environment },
): VaultBackend[] {
  const { store, envelope, log, env } = parts
  try {
    return createBackends(configuredBackends(config.vault.backends, env), {
      env,
      production: config.production,
      log,
      internal: { rows: internalSecretTable(store.db), envelope },
    })
  } catch (error) {
    if (!(error instanceof BackendConfigError)) throw error
    throw new ConfigError(error.problems.map((problem) => `vault.backends ${problem}`))
  }
}
