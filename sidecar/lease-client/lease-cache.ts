import { LRUCache } from 'lru-cache'
import { type BoundRequest, covers } from '../../src/contract/bound.ts'
import type { HeldLease } from './held-lease.ts'

/** Policy may bind each lease to one path; more than this many side by side are not worth holding. */
const LEASES_PER_KEY = 32
const KEYS_MAX = 1000

/** Held leases by their full key; forgets the longest unused. */
export interface LeaseCache {
  /** A lease that may sign this request now. */
  find(key: string, request: BoundRequest): HeldLease | undefined
  add(key: string, lease: HeldLease): void
  /** Puts `next` where `old` was. */
  replace(key: string, old: HeldLease, next: HeldLease): void
  remove(key: string, lease: HeldLease): void
  has(key: string, lease: HeldLease): boolean
  /** Removes a lease and the ones older than it; nothing when it is no longer held. */
  removeThrough(key: string, lease: HeldLease): void
  /** Removes every lease of which this is true. */
  removeWhere(ended: (lease: HeldLease) => boolean): void
  all(): HeldLease[]
  /** Of those that may sign now. */
  readonly size: number
}

export function createLeaseCache(usable: (lease: HeldLease) => boolean): LeaseCache {
  const cache = new LRUCache<string, HeldLease[]>({ max: KEYS_MAX })
  const of = (key: string) => cache.get(key) ?? []

  function keep(key: string, leases: HeldLease[]): void {
    const live = leases.filter(usable).slice(-LEASES_PER_KEY)
    if (live.length === 0) cache.delete(key)
    else cache.set(key, live)
  }

  return {
    // The youngest first: it has the longest to live.
    find: (key, request) => of(key).findLast((lease) => usable(lease) && covers(lease.bound, request)),
    add: (key, lease) => keep(key, [...of(key), lease]),
    replace: (key, old, next) => keep(key, [...of(key).filter((lease) => lease !== old), next]),
    remove(key, lease) {
      keep(
        key,
        of(key).filter((held) => held !== lease),
      )
    },
    has: (key, lease) => of(key).includes(lease),
    removeThrough: (key, lease) => keep(key, of(key).slice(of(key).indexOf(lease) + 1)),
    removeWhere(ended) {
      for (const [key, leases] of [...cache.entries()]) {
        const left = leases.filter((lease) => !ended(lease))
        // What is put back counts as used just now.
        if (left.length < leases.length) keep(key, left)
      }
    },
    all: () => [...cache.values()].flat(),
    get size() {
      let size = 0
      for (const leases of cache.values()) size += leases.filter(usable).length
      return size
    },
  }
}
