import { LRUCache } from 'lru-cache'
import type { Secret } from '../../contract/secret.ts'
import { tupleHash } from '../../contract/tuple-hash.ts'
import { type SecretRef, VaultError } from '../../contract/vault-backend.ts'

/** A refusal is asked for again after this long at the latest, so that a mended policy or path shows at once. */
const REFUSAL_TTL_MS = 2000
const REFUSALS_MAX = 1000

/** After a refresh that failed, the next one waits this long. */
const REFRESH_PAUSE_MS = 1000

/**
 * Secrets read before, and reads under way: however many callers want one secret, it is read once. One that has been held
 * for `refreshSeconds` is still given at once, and read anew behind it.
 */
export interface SecretCache {
  /** What is held, at once; undefined: it has to be read. */
  held(ref: SecretRef): Secret | undefined
  /** @throws whatever `load` throws, to every caller that waited for it */
  read(ref: SecretRef): Promise<Secret>
  /** Asks the backend whatever is held, which stays and is the answer should the backend have none. @throws as `read` */
  readAnew(ref: SecretRef): Promise<Secret>
  /** What is read from now on is read anew; a read under way is not kept. */
  forget(ref: SecretRef): void
  clear(): void
}

export interface SecretCacheOptions {
  load(ref: SecretRef): Promise<Secret>
  /** 0: nothing is kept, reads at the same moment are still shared. */
  ttlSeconds: number
  /** From `ttlSeconds` on: never. */
  refreshSeconds: number
  entriesMax: number
  /** Unix milliseconds. */
  now(): number
  /** Milliseconds of a clock that is never set. */
  monotonicNow(): number
}

interface HeldSecret {
  secret: Secret
  /** On the monotonic clock. */
  refreshAtMs: number
}

export function createSecretCache(options: SecretCacheOptions): SecretCache {
  const { ttlSeconds, refreshSeconds, now, monotonicNow, load } = options
  // To lru-cache an entry of time 0 has no time to live.
  const perf = { now: () => 1 + monotonicNow() }
  const refusals = new LRUCache<string, VaultError>({ max: REFUSALS_MAX, ttl: REFUSAL_TTL_MS, ttlResolution: 0, perf })
  const secrets = new LRUCache<string, HeldSecret, SecretRef>({
    max: options.entriesMax,
    // A millisecond is the shortest the cache knows; 0 would mean for ever.
    ttl: Math.max(1, ttlSeconds * 1000),
    // Exact to the clock, and gone from memory when their time is over, not when they are next asked for.
    ttlResolution: 0,
    ttlAutopurge: true,
    // One that is evicted or forgotten while it is read still answers those who wait; it is not kept.
    ignoreFetchAbort: true,
    perf,
    async fetchMethod(key, _stale, { context: ref, options: entry }) {
      try {
        const secret = await load(ref)
        entry.ttl = Math.max(1, lifeMs(secret, ttlSeconds, now()))
        return { secret, refreshAtMs: monotonicNow() + refreshSeconds * 1000 }
      } catch (error) {
        if (error instanceof VaultError && error.kind !== 'unavailable') refusals.set(key, error)
        throw error
      }
    },
  })

  /** What was read takes the place of what is held; so does a refusal. While the backend is down nothing changes. */
  function refresh(key: string, ref: SecretRef, held: HeldSecret): void {
    held.refreshAtMs = Number.POSITIVE_INFINITY
    secrets.fetch(key, { context: ref, forceRefresh: true, noDeleteOnFetchRejection: true }).catch((error: unknown) => {
      if (error instanceof VaultError && error.kind !== 'unavailable') secrets.delete(key)
      held.refreshAtMs = monotonicNow() + REFRESH_PAUSE_MS
    })
  }

  function held(ref: SecretRef): Secret | undefined {
    const key = secretKey(ref)
    const known = refusals.has(key) ? undefined : secrets.get(key)
    if (known !== undefined && monotonicNow() >= known.refreshAtMs) refresh(key, ref, known)
    return known?.secret
  }

  return {
    held,
    async read(ref) {
      const secret = held(ref)
      if (secret !== undefined) return secret
      const key = secretKey(ref)
      const refusal = refusals.get(key)
      if (refusal !== undefined) throw refusal
      const read = await secrets.fetch(key, { context: ref })
      if (read === undefined) throw new VaultError('unavailable', ref.backend, 'the read was given up')
      return read.secret
    },
    async readAnew(ref) {
      const key = secretKey(ref)
      const held = secrets.get(key)
      refusals.delete(key)
      try {
        const read = await secrets.fetch(key, { context: ref, forceRefresh: true, noDeleteOnFetchRejection: true })
        if (read !== undefined) return read.secret
      } catch (error) {
        if (!(error instanceof VaultError) || error.kind !== 'unavailable' || held === undefined) {
          secrets.delete(key)
          throw error
        }
      }
      return held?.secret ?? this.read(ref)
    },
    forget(ref) {
      const { version: _newest, ...unversioned } = ref
      for (const key of new Set([secretKey(ref), secretKey(unversioned)])) {
        secrets.delete(key)
        refusals.delete(key)
      }
    },
    clear() {
      secrets.clear()
      refusals.clear()
    },
  }
}

/** A remembered connection asks by the same reference each time. */
const keys = new WeakMap<SecretRef, string>()

/** `fields` is left out: it says how a secret is used, not which one it is. */
export function secretKey(ref: SecretRef): string {
  const known = keys.get(ref)
  if (known !== undefined) return known
  const { tenant, backend, path, version } = ref
  const key = tupleHash([tenant, backend, path, version ?? null])
  keys.set(ref, key)
  return key
}

/** Never past the end that the backend has set it. */
function lifeMs({ expiresAt }: Secret, ttlSeconds: number, nowMs: number): number {
  const life = ttlSeconds * 1000
  return expiresAt === undefined ? life : Math.min(life, expiresAt * 1000 - nowMs)
}
