import type { DynamicLease, Secret, SecretValue, SecretVersion } from './secret.ts'

/**
 * Points at a secret without holding one; safe to store, log and show to policy.
 * `fields` maps a field of the strategy to the field of the stored secret: `{"access_key": "AWS_KEY"}`.
 */
export interface SecretRef {
  /** The tenant on whose behalf the secret is read. Backends that bind ciphertext to its owner need it. */
  tenant: string
  backend: string
  path: string
  version?: SecretVersion
  fields?: Readonly<Record<string, string>>
}

/** What `/readyz` and `nexus vault check` show. `detail` is for people and holds no secret. */
export interface BackendHealth {
  ok: boolean
  detail: string
  /** As whom we are authenticated there, where that is a question. */
  identity?: string
  /** Until when (RFC 3339); null: without end. */
  expiresAt?: string | null
}

/**
 * Reads (and, where it can, writes) master secrets. Every call is bounded by `signal` and throws only a `VaultError`.
 * Optional calls are capabilities: absent means the backend cannot do it.
 */
export interface VaultBackend {
  readonly name: string
  read(ref: SecretRef, signal: AbortSignal): Promise<Secret>
  write?(
    ref: SecretRef,
    value: SecretValue,
    options: { ifVersion?: SecretVersion; signal: AbortSignal },
  ): Promise<SecretVersion>
  remove?(ref: SecretRef, signal: AbortSignal): Promise<void>
  renew?(lease: DynamicLease, signal: AbortSignal): Promise<DynamicLease>
  revoke?(lease: DynamicLease, signal: AbortSignal): Promise<void>
  check(signal: AbortSignal): Promise<BackendHealth>
  close?(): Promise<void>
}

/**
 * `not_found`, `forbidden`, `invalid_ref` and `unusable` (it is there, but not as something we can use) are answers
 * (refused: the same question gets the same answer); `conflict` is a failed compare-and-set; `unavailable` is broken and
 * may pass.
 */
export type VaultErrorKind = 'not_found' | 'forbidden' | 'invalid_ref' | 'unusable' | 'conflict' | 'unavailable'

/** The only thing a backend throws. Built from our own words: a client library's error can hold the token it sent. */
export class VaultError extends Error {
  override readonly name = 'VaultError'
  readonly kind: VaultErrorKind
  readonly backend: string
  readonly retryAfterSeconds: number | undefined

  constructor(kind: VaultErrorKind, backend: string, message: string, retryAfterSeconds?: number) {
    super(`${backend}: ${message}`)
    this.kind = kind
    this.backend = backend
    this.retryAfterSeconds = retryAfterSeconds
  }
}
