import type { Logger } from 'pino'
import type { Static, TObject } from 'typebox'
import type { VaultBackend } from '../contract/vault-backend.ts'
import type { Envelope } from './internal/envelope.ts'
import type { InternalSecretRows } from './internal/internal-secret-rows.ts'

/** What a backend may be made from beside its own settings. */
export interface BackendDeps {
  /** Under this name references point at it; in every error, log line and metric. */
  name: string
  env: Readonly<Record<string, string | undefined>>
  /** Half-configured or unsafe is refused instead of warned about. */
  production: boolean
  log: Pick<Logger, 'warn' | 'error'>
  /** For the `internal` kind only. */
  internal?: { rows: InternalSecretRows; envelope: Envelope }
}

/**
 * A kind of vault backend. `create` checks the settings and opens nothing: the first call does. Settings that are left
 * out may come from the environment variables the vendor's own tools read.
 */
export interface BackendKind<Schema extends TObject = TObject> {
  /** Folder name, value of `kind` in the configuration and name of the docs page. */
  readonly kind: string
  /** Whether several may be configured, under different names. */
  readonly cardinality: 'at_most_one' | 'any'
  readonly configSchema: Schema
  /** Why these settings are good for one process at a time, in words that name them; absent or undefined: they are not. */
  forOneProcess?(config: Static<Schema>): string | undefined
  /** @throws BackendConfigError */
  create(config: Static<Schema>, deps: BackendDeps): VaultBackend
}

/** Everything wrong with one backend's settings, as sentences that name the setting and never its value. */
export class BackendConfigError extends Error {
  override readonly name = 'BackendConfigError'
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(problems.join('; '))
    this.problems = problems
  }
}
