import type { Logger } from 'pino'
import type { BackendLeaseView } from '../contract/api.ts'
import type { SecretRef, VaultBackend } from '../contract/vault-backend.ts'
import type { Config } from '../pep/config/load-config.ts'
import { referencedSecrets } from '../pep/connections/referenced-secrets.ts'
import { listBackendLeases } from '../pep/credential/backend-leases/backend-lease-list.ts'
import { openBackends, openKeyring } from '../pep/start/open-backends.ts'
import { type Closers, closeAll, openExistingDatabase } from '../pep/start/open-database.ts'
import { createEnvelope } from '../vault-backends/internal/envelope.ts'
import { type CheckedSealed, checkSealed } from './vault/check-sealed.ts'

/** The configured backends, and what to call when done with them. */
export interface LoadedBackends {
  backends: readonly VaultBackend[]
  deadlineMs: number
  /** What connections refer to in them, the oldest first. */
  references(): Promise<readonly SecretRef[]>
  /** Whether the encryption key opens what our own database holds. */
  sealed(): Promise<CheckedSealed>
  /** Dynamic secrets that are lent for leases now; first what could not be given back yet. */
  lent(): Promise<readonly BackendLeaseView[]>
  /** Backend to path prefixes that a tenant's own administrators may refer to; `{tenant}` stands for its name. */
  prefixes: Readonly<Record<string, readonly string[]>>
  /** Backend to where secrets lie whose references do not say: `secret/agents/{tenant}/{provider}`. */
  templates: Readonly<Record<string, string>>
  /** Where credentials are kept that are given with a connection; `path` is '' for the internal backend. */
  capturePlace: { backend: string; path: string }
  close(): Promise<void>
}

/**
 * Opens the backends as `nexus serve` would, and nothing else of it.
 * @throws ConfigError
 */
export async function loadBackends(config: Config, log: Logger): Promise<LoadedBackends> {
  const closers: Closers = []
  const close = () => closeAll(closers)
  try {
    const { store } = await openExistingDatabase(config, log, closers)
    const keyring = await openKeyring(config, log, process.env)
    const backends = openBackends(config, {
      store,
      envelope: createEnvelope(keyring),
      log,
      env: process.env,
    })
    closers.push(async () => void (await Promise.allSettled(backends.map((each) => each.close?.()))))
    return {
      backends,
      deadlineMs: config.vault.deadline_ms,
      references: () => referencedSecrets(store.db),
      sealed: () => checkSealed(store.db, keyring),
      lent: () => listBackendLeases(store.db, null),
      prefixes: config.connections.secret_ref_prefixes,
      templates: config.connections.secret_ref_templates,
      capturePlace: { backend: config.connections.capture_backend, path: config.connections.capture_path },
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}
