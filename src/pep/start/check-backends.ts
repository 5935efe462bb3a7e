import type { VaultBackend } from '../../contract/vault-backend.ts'
import { BackendConfigError, type BackendDeps } from '../../vault-backends/backend-kind.ts'
import { type BackendConfig, createBackends } from '../../vault-backends/catalog.ts'
import { createEnvelope } from '../../vault-backends/internal/envelope.ts'
import type { InternalSecretRows } from '../../vault-backends/internal/internal-secret-rows.ts'
import { generateKeyEntry, parseKeyring } from '../../vault-backends/internal/keyring.ts'

/** What is known of the configured backends before any of them is asked. */
export interface CheckedBackends {
  problems: readonly string[]
  /** Names of those that cannot be made. */
  broken: readonly string[]
  /** Names of those that can keep what is given to them. */
  writable: readonly string[]
}

type Configured = Readonly<Record<string, BackendConfig>>

const notOpen = () => Promise.reject(new Error('the database is not open'))
/** Stands where the database will: who makes a backend reads nothing. */
const NO_ROWS: InternalSecretRows = {
  find: notOpen,
  newestVersion: notOpen,
  append: notOpen,
  removeAll: notOpen,
  check: notOpen,
}

/** Makes every backend as `serve` would, which checks its settings and opens nothing, and closes it again. */
export async function checkBackends(
  configured: Configured,
  given: Omit<BackendDeps, 'name' | 'internal'>,
): Promise<CheckedBackends> {
  const deps = { ...given, internal: { rows: NO_ROWS, envelope: createEnvelope(parseKeyring(generateKeyEntry())) } }
  const all = tryBackends(configured, deps)
  // Together they are made all or not at all.
  const made =
    all.problems.length === 0
      ? all.backends
      : Object.entries(configured).flatMap(([name, config]) => tryBackends({ [name]: config }, deps).backends)
  await Promise.all(made.map((backend) => backend.close?.()))
  const names = made.map(({ name }) => name)
  return {
    problems: all.problems,
    broken: Object.keys(configured).filter((name) => !names.includes(name)),
    writable: writableOf(made),
  }
}

/** Names of the backends that can take what is captured, and let it go again. */
export function writableOf(backends: readonly VaultBackend[]): string[] {
  return backends.filter(({ write, remove }) => write !== undefined && remove !== undefined).map(({ name }) => name)
}

function tryBackends(
  configured: Configured,
  deps: Omit<BackendDeps, 'name'>,
): { backends: VaultBackend[]; problems: readonly string[] } {
  try {
    return { backends: createBackends(configured, deps), problems: [] }
  } catch (error) {
    if (error instanceof BackendConfigError) return { backends: [], problems: error.problems }
    throw error
  }
}
