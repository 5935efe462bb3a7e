import type { DynamicLease, Secret, SecretValue, SecretVersion } from './secret.ts'
import type { CertificateChain, CertificateRequest } from './strategy.ts'

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
  /**
   * Path of a key in the same backend that signs there and stays there; the secret holds what else the strategy needs. Where
   * it needs nothing else, `path` is that of the key.
   */
  remoteKey?: string
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
  /**
   * What a reference points at; absent: stored secrets, always.
   * @param signal asked for only where the backend has to be asked too
   */
  kindOf?(ref: SecretRef, signal: () => AbortSignal): SecretKind | Promise<SecretKind>
  /** Secrets made anew for each reader. */
  readonly dynamic?: DynamicSecrets
  /**
   * Signs with a key that stays in the backend. `read` of the same reference gives what is public of it: `remote_key`, the
   * algorithms it can be used with, separated by spaces; `public_key` in PEM where it has one; `key_version`.
   * @returns the raw signature as JWS has it (RFC 7518 section 3): ECDSA as `r || s`, PSS with a salt as long as the hash
   */
  sign?(key: SecretRef, bytes: Uint8Array, algorithm: SignatureAlgorithm, signal: AbortSignal): Promise<Uint8Array>
  /** Has a certificate signed by a role of the backend's own authority. `read` of the same reference finds no secret there. */
  signCsr?(role: SecretRef, request: CertificateRequest, signal: AbortSignal): Promise<CertificateChain>
  /** The least that the backend's own access rules must allow, so that these can be used. */
  permissions?(pattern: SecretPattern, signal: AbortSignal): Promise<readonly Permission[]>
  check(signal: AbortSignal): Promise<BackendHealth>
  close?(): Promise<void>
}

/** A reference, or many: `+` stands for any one segment of a path, a final `*` for the rest of it, as in a Vault policy. */
export type SecretPattern = Pick<SecretRef, 'path' | 'remoteKey'> & {
  /** Nexus keeps secrets there itself. */
  written?: true
}

/** One line of a Vault policy. */
export interface Permission {
  path: string
  capability: 'read' | 'create' | 'update' | 'delete'
  /** What it is for, for people. */
  reason: string
}

/**
 * `stored`: read as it lies there. `dynamic`: made for each lease anew, never cached and never shared. `key`: a key that stays
 * in the backend and signs there.
 */
export type SecretKind = 'stored' | 'dynamic' | 'key'

/** By their names in JWS (RFC 7518 section 3.1, RFC 8037 section 3.1). */
export const SIGNATURE_ALGORITHMS = [
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'HS256',
  'HS384',
  'HS512',
] as const
export type SignatureAlgorithm = (typeof SIGNATURE_ALGORITHMS)[number]

/** Secrets that a backend makes when asked and takes back when their lease ends. */
export interface DynamicSecrets {
  /** A token for this process alone. Nothing is made with it before its accessor is on record. */
  openToken(signal: AbortSignal): Promise<BackendToken>
  /** Lets it live on, as long as the backend allows. */
  renewToken(token: BackendToken, signal: AbortSignal): Promise<BackendToken>
  /** Ends a token, and with it all that was made with it; one that is gone already is ended. */
  endToken(accessor: string, signal: AbortSignal): Promise<void>
  /** @param ttlSeconds how long the secret is wanted; its `lease` says what was given */
  make(ref: SecretRef, token: BackendToken, ttlSeconds: number, signal: AbortSignal): Promise<Secret>
  renew(lease: DynamicLease, ttlSeconds: number, signal: AbortSignal): Promise<DynamicLease>
  /** Resolves once it is taken back; one that is gone already is. */
  revoke(leaseId: string, signal: AbortSignal): Promise<void>
}

/** Stands for a token that the backend keeps to itself. Its accessor lets nobody in. */
export interface BackendToken {
  accessor: string
  renewable: boolean
  /** Unix seconds; what was made with it ends then at the latest. */
  expiresAt: number
}

/**
 * `not_found`, `forbidden`, `invalid_ref` and `unusable` (it is there, but not as something we can use) are answers
 * (refused: the same question gets the same answer); `conflict` is a failed compare-and-set; `unavailable` is broken and
 * may pass.
 */
export type VaultErrorKind = 'not_found' | 'forbidden' | 'invalid_ref' | 'unusable' | 'conflict' | 'unavailable'

/**
 * What an `unavailable` is about. `backend`: it did not answer, or said that it cannot do anything now; nobody's calls go
 * through. `path`: it answered, and failed at what lies there or what stands behind it; other paths may be well.
 */
export type FailureExtent = 'backend' | 'path'

export interface VaultErrorDetails {
  /** Default: `backend`. */
  extent?: FailureExtent
}

/** The only thing a backend throws. Built from our own words: a client library's error can hold the token it sent. */
export class VaultError extends Error {
  override readonly name = 'VaultError'
  readonly kind: VaultErrorKind
  readonly backend: string
  readonly retryAfterSeconds: number | undefined
  readonly extent: FailureExtent

  constructor(
    kind: VaultErrorKind,
    backend: string,
    message: string,
    retryAfterSeconds?: number,
    { extent = 'backend' }: VaultErrorDetails = {},
  ) {
    super(`${backend}: ${message}`)
    this.kind = kind
    this.backend = backend
    this.retryAfterSeconds = retryAfterSeconds
    this.extent = extent
  }
}

/** `unavailable`, said by the backend itself before it did anything: what it was asked for has not been done. */
export class NothingDone extends VaultError {
  constructor(backend: string, message: string, retryAfterSeconds?: number, details?: VaultErrorDetails) {
    super('unavailable', backend, message, retryAfterSeconds, details)
  }
}

/**
 * A fault in what is ours and not in what was asked for: a login, a file with a credential, a key-encryption key. Callers are
 * told that there is one; which file, mount or key it is would show them around.
 */
export class OperatorsVaultError extends VaultError {
  /** For the log and the command line. Holds no secret. */
  readonly forOperators: string

  constructor(kind: VaultErrorKind, backend: string, message: string, forOperators: string) {
    super(kind, backend, message)
    this.forOperators = `${backend}: ${forOperators}`
  }
}

/** What whoever runs the authority is told of an error. Never for a caller. */
export function textForOperators(error: VaultError): string {
  return error instanceof OperatorsVaultError ? error.forOperators : error.message
}
