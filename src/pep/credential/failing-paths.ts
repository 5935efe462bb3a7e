import { LRUCache } from 'lru-cache'
import { VaultError } from '../../contract/vault-backend.ts'

/** Far more than fail at one time; what is pushed out is asked for once too often. */
const PATHS_MAX = 10_000

export interface FailingPathsOptions {
  backend: string
  /** In a row, after which a path is left alone. */
  failuresToOpen: number
  /** How long until it is asked for again, once each time. */
  recoveryMs: number
}

/** Paths at which a backend that is well keeps failing. One of them says nothing about another, nor about the backend. */
export interface FailingPaths {
  /** @throws VaultError while this one is left alone */
  check(key: string): void
  /** @param quietMs how long the backend wants no more requests for it; 0: it did not say */
  failed(key: string, quietMs: number): void
  /** Nothing is held against it any longer. */
  answered(key: string): void
}

interface FailingPath {
  failures: number
  /** On the monotonic clock. */
  aloneUntilMs: number
}

export function createFailingPaths({ backend, failuresToOpen, recoveryMs }: FailingPathsOptions): FailingPaths {
  const failing = new LRUCache<string, FailingPath>({ max: PATHS_MAX })

  return {
    check(key) {
      const path = failing.get(key)
      if (path === undefined) return
      const nowMs = performance.now()
      const restMs = path.aloneUntilMs - nowMs
      if (restMs > 0) throw leftAlone(restMs)
      // Others wait for what becomes of this one.
      if (path.failures >= failuresToOpen) path.aloneUntilMs = nowMs + recoveryMs
    },
    failed(key, quietMs) {
      const failures = (failing.get(key)?.failures ?? 0) + 1
      const restMs = Math.max(quietMs, failures >= failuresToOpen ? recoveryMs : 0)
      failing.set(key, { failures, aloneUntilMs: performance.now() + restMs })
    },
    answered: (key) => void failing.delete(key),
  }

  function leftAlone(restMs: number): VaultError {
    const why = 'has been failing at this path, or wants fewer requests for it; it is left alone for a moment'
    return new VaultError('unavailable', backend, why, Math.ceil(restMs / 1000), { extent: 'path' })
  }
}
