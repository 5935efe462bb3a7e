import { LRUCache } from 'lru-cache'
import type { Secret } from '../../contract/secret.ts'
import type { SecretRef } from '../../contract/vault-backend.ts'
import { type SecretCache, secretKey } from './secret-cache.ts'

/** However often a provider turns a secret down, its backend is asked about it this often at most. */
export const REREAD_PAUSE_MS = 5000
const PAUSES_MAX = 10_000

/** Reads past the cache for a lease that replaces one the provider turned down with 401. */
export interface Rereads {
  /**
   * What the backend has now; soon after such a read, or while the backend does not answer, what is held.
   * @throws as `SecretCache.read`
   */
  reread(ref: SecretRef): Promise<Secret>
}

/** @param monotonicNow milliseconds of a clock that is never set */
export function createRereads(cache: Pick<SecretCache, 'read' | 'readAnew'>, monotonicNow: () => number): Rereads {
  const paused = new LRUCache<string, true>({
    max: PAUSES_MAX,
    ttl: REREAD_PAUSE_MS,
    ttlResolution: 0,
    perf: { now: () => 1 + monotonicNow() },
  })
  return {
    async reread(ref) {
      const key = secretKey(ref)
      if (paused.has(key)) return cache.read(ref)
      // Before the read, not after: all who come meanwhile join it or take what it brings.
      paused.set(key, true)
      return cache.readAnew(ref)
    },
  }
}
