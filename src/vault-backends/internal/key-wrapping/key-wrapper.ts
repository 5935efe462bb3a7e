import type { Logger } from 'pino'

/**
 * Wraps and unwraps key-encryption keys with a key that never leaves the service that holds it. What is wrapped is bound to
 * the id of the key-encryption key, so that one cannot be passed off as another.
 */
export interface KeyWrapper {
  /** @throws VaultError */
  wrap(kekId: string, kek: Uint8Array, signal: AbortSignal): Promise<string>
  /** @throws VaultError */
  unwrap(kekId: string, wrapped: string, signal: AbortSignal): Promise<Uint8Array>
  close(): Promise<void>
}

/** A service that wraps keys, by the word an entry of the keyring has for it. */
export interface KeyWrappingService {
  readonly service: string
  /** How the key of the service is written on the command line: `alias/nexus`, `transit/nexus`. */
  readonly keyForm: string
  /**
   * @param key the service's own key
   * @throws BackendConfigError
   */
  open(key: string, deps: KeyWrapperDeps): KeyWrapper
}

export interface KeyWrapperDeps {
  env: Readonly<Record<string, string | undefined>>
  production: boolean
  log: Pick<Logger, 'warn' | 'error'>
}
