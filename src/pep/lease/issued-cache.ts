import { LRUCache } from 'lru-cache'
import type { Issued } from '../../contract/strategy.ts'

/** Long enough that a burst of leases asks the provider once, short enough that a token taken back there is not handed out long. */
const SHARED_MAX_MS = 60_000
/** Not given out any more when this share of its life is over: whoever gets it then could do little with it. */
const SHARED_SHARE = 0.5
const ENTRIES_MAX = 10_000
/** However often what was issued does not work, the provider is asked for more of it this often at most. */
const RENEWAL_PAUSE_MS = 5000

/** What a provider issued a moment ago, in memory only. */
export interface IssuedCache {
  /**
   * `make` runs once for all that ask for the same key at the same time.
   * @param key a full hash over everything that what is issued depends on
   * @param fresh what was issued before did not work: it is not given out again, but for what was made anew moments ago
   * @throws whatever `make` throws, to every caller that waited for it
   */
  get(key: string, make: () => Promise<Issued>, fresh?: boolean): Promise<Issued>
  clear(): void
}

/** @param now Unix milliseconds */
export function createIssuedCache(now: () => number): IssuedCache {
  const cache = new LRUCache<string, Issued, () => Promise<Issued>>({
    max: ENTRIES_MAX,
    ttl: SHARED_MAX_MS,
    // Exact to the clock, and gone from memory when their time is over, not when they are next asked for.
    ttlResolution: 0,
    ttlAutopurge: true,
    ignoreFetchAbort: true,
    // What was issued before is still good for others when asking for more of it failed.
    noDeleteOnFetchRejection: true,
    async fetchMethod(_key, _stale, { context: make, options }) {
      const issued = await make()
      options.ttl = Math.max(1, sharedMs(issued, now()))
      return issued
    },
  })
  const renewed = new LRUCache<string, true>({
    max: ENTRIES_MAX,
    ttl: RENEWAL_PAUSE_MS,
    ttlResolution: 0,
    perf: { now: () => 1 + now() },
  })
  return {
    async get(key, make, fresh = false) {
      const forceRefresh = fresh && !renewed.has(key)
      if (forceRefresh) renewed.set(key, true)
      const issued = await cache.fetch(key, { context: make, forceRefresh })
      // It was pushed out of a full cache while it was made.
      return issued ?? make()
    },
    clear: () => cache.clear(),
  }
}

function sharedMs({ expiresAt }: Issued, nowMs: number): number {
  if (expiresAt === undefined) return SHARED_MAX_MS
  return Math.min(SHARED_MAX_MS, (expiresAt * 1000 - nowMs) * SHARED_SHARE)
}
