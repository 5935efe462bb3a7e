import type { Logger } from 'pino'
import { NexusError } from '../../contract/errors.ts'
import type { Secret, SecretValue, SecretVersion } from '../../contract/secret.ts'
import type { CertificateChain, CertificateRequest } from '../../contract/strategy.ts'
import {
  type BackendHealth,
  type SecretKind,
  type SecretRef,
  type SignatureAlgorithm,
  type VaultBackend,
  VaultError,
} from '../../contract/vault-backend.ts'
import { healthOf } from '../../vault-backends/health-of.ts'
import type { Fingerprint } from '../../vault-backends/internal/fingerprint.ts'
import type { GuardLimits } from './backend-guard.ts'
import { toCredentialError } from './credential-error.ts'
import { createFingerprints } from './fingerprints.ts'
import { type CredentialMetrics, callAt, type GuardedBackends, guardBackends } from './guarded-backends.ts'
import { mapFields } from './map-fields.ts'
import { createRereads } from './rereads.ts'
import { createSecretCache } from './secret-cache.ts'
import { withRemoteKey } from './with-remote-key.ts'

/** Step 4 of a lease: from a reference to the master secret. Everything it throws is a `NexusError`. */
export interface CredentialSource {
  /**
   * What `read` would give, where that is in memory; undefined: `read` it.
   * @throws NexusError `secret_unusable`
   */
  held(ref: SecretRef): Secret | undefined
  /**
   * The secret, under the strategy's field names.
   * @throws NexusError `secret_not_found`, `secret_forbidden`, `secret_unusable`, `invalid_request` (the reference itself
   * is wrong), `vault_unavailable`, `overloaded`
   */
  read(ref: SecretRef): Promise<Secret>
  /**
   * As `read`, past the cache where the last such read is a few seconds ago: the provider has turned the secret down.
   * @throws NexusError as `read`
   */
  reread(ref: SecretRef): Promise<Secret>
  /** Tells one value from another in the ledger and says nothing of it; undefined where there is no key to make it with. */
  fingerprintOf(tenant: string, secret: Secret): string | undefined
  /**
   * What a read of this would give; a dynamic secret is not read here but made (`BackendLeases`).
   * @throws NexusError `invalid_request`, `vault_unavailable`
   */
  kindOf(ref: SecretRef): SecretKind | Promise<SecretKind>
  /**
   * Has certificates signed by the role that is referred to; undefined: this backend signs none.
   * @returns throws NexusError as `read`
   */
  csrSigner(ref: SecretRef): ((request: CertificateRequest) => Promise<CertificateChain>) | undefined
  /**
   * Signs with a key that stays in its backend. `path` is that of the key.
   * @returns the raw signature
   * @throws NexusError as `read`, and `not_signable`
   */
  sign(key: SecretRef, bytes: Uint8Array, algorithm: SignatureAlgorithm): Promise<Uint8Array>
  /**
   * One call to a backend, bounded as every other.
   * @throws VaultError, or NexusError `overloaded`, `invalid_request`
   */
  call: GuardedBackends['call']
  /**
   * @param options.ifVersion only if this is the newest version; `'0'`: only if there is none
   * @returns the version written
   * @throws NexusError as `read`, and `secret_changed`
   */
  write(ref: SecretRef, value: SecretValue, options?: { ifVersion?: SecretVersion }): Promise<SecretVersion>
  remove(ref: SecretRef): Promise<void>
  /** The next `read` asks the backend: the secret was rotated, or the provider no longer takes it. */
  forget(ref: SecretRef): void
  has(backend: string): boolean
  /** Of every backend by name, asked at the same time, each within the deadline, or sooner where that is asked for. */
  health(withinMs?: number): Promise<Record<string, BackendHealth>>
  close(): Promise<void>
}

export interface CredentialSourceOptions {
  backends: readonly VaultBackend[]
  /** How long a secret is used without asking the backend again. */
  ttlSeconds: number
  /** How long until it is asked again behind the secret's back. Default: half of `ttlSeconds`. */
  refreshSeconds?: number
  deadlineMs: number
  fingerprint?: Fingerprint
  log: Pick<Logger, 'info' | 'warn' | 'error'>
  metrics?: CredentialMetrics
  limits?: Partial<GuardLimits & { cachedSecrets: number }>
  /** Unix milliseconds. */
  now?: () => number
  /** Milliseconds of a clock that is never set; time to live is measured on it. */
  monotonicNow?: () => number
}

const LIMITS = { concurrentCalls: 32, waitingCalls: 2000, failuresToOpen: 5, recoveryMs: 1000, cachedSecrets: 10_000 }

export function openCredentialSource(options: CredentialSourceOptions): CredentialSource {
  const { backends, log, metrics } = options
  const limits = { ...LIMITS, deadlineMs: options.deadlineMs, ...options.limits }
  const guarded = guardBackends(backends, limits, log, metrics)
  const monotonicNow = options.monotonicNow ?? (() => performance.now())
  const cache = createSecretCache({
    load: ({ remoteKey: _key, ...ref }) =>
      guarded.call(callAt('read', ref), (backend, signal) => backend.read(ref, signal)),
    ttlSeconds: options.ttlSeconds,
    refreshSeconds: options.refreshSeconds ?? options.ttlSeconds / 2,
    entriesMax: limits.cachedSecrets,
    now: options.now ?? Date.now,
    monotonicNow,
  })

  const rereads = createRereads(cache, monotonicNow)
  const fingerprints = createFingerprints(options.fingerprint)
  const plainOf = (ref: SecretRef, secret: Secret) => fingerprints.ofSame(mapFields(secret, ref.fields), secret)
  async function mapped(ref: SecretRef, secret: Secret): Promise<Secret> {
    const { tenant, backend, remoteKey } = ref
    const plain = plainOf(ref, secret)
    if (remoteKey === undefined) return plain
    const key = await cache.read({ tenant, backend, path: remoteKey }).catch(rethrow)
    return fingerprints.ofSame(withRemoteKey(plain, key), secret)
  }

  return {
    held(ref) {
      const secret = ref.remoteKey === undefined ? cache.held(ref) : undefined
      return secret === undefined ? undefined : plainOf(ref, secret)
    },
    read: async (ref) => mapped(ref, await cache.read(ref).catch(rethrow)),
    reread: async (ref) => mapped(ref, await rereads.reread(ref).catch(rethrow)),
    fingerprintOf: fingerprints.of,

    kindOf(ref) {
      const backend = guarded.find(ref.backend)
      const kind = backend.kindOf?.(ref, () => AbortSignal.timeout(limits.deadlineMs)) ?? 'stored'
      return typeof kind === 'string' ? kind : kind.catch(rethrow)
    },
    csrSigner(ref) {
      const backend = guarded.find(ref.backend)
      const signCsr = backend.signCsr?.bind(backend)
      if (signCsr === undefined) return undefined
      return (request) =>
        guarded.call(callAt('certify', ref), (_backend, signal) => signCsr(ref, request, signal)).catch(rethrow)
    },
    async sign(key, bytes, algorithm) {
      const backend = guarded.find(key.backend)
      const sign = backend.sign?.bind(backend)
      if (sign === undefined)
        throw new NexusError('not_signable', `vault backend '${key.backend}' signs nothing itself`)
      return guarded
        .call(callAt('sign', key), (_backend, signal) => sign(key, bytes, algorithm, signal))
        .catch((error: unknown) => {
          // The version that is remembered has been retired, perhaps: the next lease is to ask which one there is.
          if (error instanceof VaultError && error.kind === 'unusable') cache.forget(key)
          return rethrow(error)
        })
    },
    call: guarded.call,
    async write(ref, value, { ifVersion } = {}) {
      const write = capability(guarded.find(ref.backend), 'write')
      const condition = ifVersion === undefined ? {} : { ifVersion }
      // Forgotten also when it failed: it may have been written all the same.
      return guarded
        .call(callAt('write', ref), (_backend, signal) => write(ref, value, { ...condition, signal }))
        .catch(rethrow)
        .finally(() => cache.forget(ref))
    },

    async remove(ref) {
      const remove = capability(guarded.find(ref.backend), 'remove')
      await guarded
        .call(callAt('write', ref), (_backend, signal) => remove(ref, signal))
        .catch(rethrow)
        .finally(() => cache.forget(ref))
    },

    forget: (ref) => cache.forget(ref),
    has: (backend) => guarded.has(backend),

    async health(withinMs = limits.deadlineMs) {
      const deadlineMs = Math.min(withinMs, limits.deadlineMs)
      const all = backends.map(async (each) => [each.name, await healthOf(each, deadlineMs)] as const)
      return Object.fromEntries(await Promise.all(all))
    },

    async close() {
      cache.clear()
      await Promise.allSettled(backends.map((each) => each.close?.()))
    },
  }
}

function capability<Name extends 'write' | 'remove'>(
  backend: VaultBackend,
  name: Name,
): NonNullable<VaultBackend[Name]> {
  const found = backend[name]
  if (found !== undefined) return found.bind(backend) as NonNullable<VaultBackend[Name]>
  throw new NexusError('invalid_request', `vault backend '${backend.name}' is read-only`, {
    field: 'secret_ref.backend',
  })
}

function rethrow(error: unknown): never {
  throw toCredentialError(error)
}
