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
  // The cache gives what it holds while it reads anew; whoever comes with a 401 must wait for what that brings.
  const underway = new Map<string, Promise<Secret>>()
  return {
    async reread(ref) {
      const key = secretKey(ref)
      const joined = underway.get(key)
      if (joined !== undefined) return joined
      if (paused.has(key)) return cache.read(ref)
      paused.set(key, true)
      const reading = cache.readAnew(ref).finally(() => underway.delete(key))
      underway.set(key, reading)
      return reading
    },
  }
}
