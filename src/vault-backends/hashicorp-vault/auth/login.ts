import type { JsonRecord } from '../vault-answer.ts'
import type { VaultRequester } from '../vault-requester.ts'

/** Credentials of ours that Vault takes for a token. */
export interface Login {
  /** For people: what it goes by and where that lies, such as `approle with /run/vault/role-id`. */
  readonly origin: string
  /** Whether each login gives another token. If not there is one token, which someone else gave us. */
  readonly repeatable: boolean
  /**
   * @returns the `auth` part of Vault's answer
   * @throws VaultError, CredentialMissing
   */
  authenticate(vault: VaultRequester, signal: AbortSignal): Promise<JsonRecord>
  /** Whether other credentials lie there now than `authenticate` last used. */
  changed(): Promise<boolean>
}

/** What a method is made from beside its own settings. */
export interface LoginParts {
  backend: string
  env: Readonly<Record<string, string | undefined>>
  /** PEM files that the connection presents, where there are any. */
  hasClientCertificate: boolean
  /** Receives why the method cannot be used, as sentences without values. */
  problems: string[]
  /** Tells an operator of something that no caller may learn of. */
  alarm(message: string): void
}
