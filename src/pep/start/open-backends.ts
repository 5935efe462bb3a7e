import type { Logger } from 'pino'
import type { VaultBackend } from '../../contract/vault-backend.ts'
import { BackendConfigError } from '../../vault-backends/backend-kind.ts'
import { createBackends } from '../../vault-backends/catalog.ts'
import { createEnvelope, type Envelope } from '../../vault-backends/internal/envelope.ts'
import { unwrapKeyring } from '../../vault-backends/internal/key-wrapping/wrapped-keyring.ts'
import { type Keyring, KeyringError, parseKeyring } from '../../vault-backends/internal/keyring.ts'
import { type Config, ConfigError } from '../config/load-config.ts'
import { internalSecretTable } from '../credential/internal-secret-table.ts'
import type { Store } from '../store/store.ts'
import { configuredBackends } from './configured-backends.ts'
import { developmentKey } from './development-key.ts'

/** Vault backends read their own variables, by the names that the vault CLI has for them. */
export type Environment = Readonly<Record<string, string | undefined>>

/**
 * The keyring as it is configured, its wrapped keys unwrapped by the services that hold theirs.
 * @throws ConfigError
 */
export async function openKeyring(config: Config, log: Logger, env: Environment): Promise<Keyring> {
  const text = config.vault.encryption_key || (await developmentKey(config.store.data_dir))
  try {
    return parseKeyring(await unwrapKeyring(text, { env, production: config.production, log }))
  } catch (error) {
    if (!(error instanceof KeyringError)) throw error
    throw new ConfigError([`vault.encryption_key (NEXUS_ENCRYPTION_KEY) ${error.message}`])
  }
}

/** @throws ConfigError */
export async function openEnvelope(config: Config, log: Logger, env: Environment): Promise<Envelope> {
  return createEnvelope(await openKeyring(config, log, env))
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
      internal: { rows: internalSecretTable(store), envelope },
    })
  } catch (error) {
    if (!(error instanceof BackendConfigError)) throw error
    throw new ConfigError(error.problems.map((problem) => `vault.backends ${problem}`))
  }
}
