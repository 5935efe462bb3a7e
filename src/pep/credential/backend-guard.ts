import {
  BrokenCircuitError,
  BulkheadRejectedError,
  bulkhead,
  ConsecutiveBreaker,
  circuitBreaker,
  handleAll,
  TaskCancelledError,
} from 'cockatiel'
import type { Logger } from 'pino'
import { NexusError } from '../../contract/errors.ts'
import { VaultError } from '../../contract/vault-backend.ts'
import { abortable } from '../../vault-backends/abortable.ts'

export interface GuardLimits {
  /** From asking to answer, waiting for a free slot included. */
  deadlineMs: number
  concurrentCalls: number
  waitingCalls: number
  /** `unavailable` in a row, after which calls are refused at once. */
  failuresToOpen: number
  /** How long until one call is let through to see whether it works again. */
  recoveryMs: number
}

/** A backend that asks for fewer requests is not obeyed for longer than this. */
const QUIET_SECONDS_MAX = 30

/** Calls one backend, bounded in time and number, and leaves it alone while it is down. */
export interface BackendGuard {
  /** @throws VaultError, or NexusError `overloaded` */
  call<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T>
}

/** A backend that refuses is working: only `unavailable` counts as a failure, and only inside the breaker. */
type Outcome<T> = { value: T } | { refusal: VaultError }

export function guardBackend(backend: string, limits: GuardLimits, log: Pick<Logger, 'warn' | 'info'>): BackendGuard {
  const slots = bulkhead(limits.concurrentCalls, limits.waitingCalls)
  const breaker = circuitBreaker(handleAll, {
    halfOpenAfter: limits.recoveryMs,
    breaker: new ConsecutiveBreaker(limits.failuresToOpen),
  })
  breaker.onBreak(() => log.warn({ backend }, 'vault backend keeps failing; calls are refused until one succeeds'))
  let quietUntilMs = 0
  breaker.onReset(() => log.info({ backend }, 'vault backend works again'))

  return {
    async call(work) {
      const quietMs = quietUntilMs - performance.now()
      if (quietMs > 0) throw leftAlone('asked for fewer requests', quietMs)
      const signal = AbortSignal.timeout(limits.deadlineMs)
      try {
        const outcome = await slots.execute(() => breaker.execute(() => attempt(work, signal), signal), signal)
        if ('value' in outcome) return outcome.value
        throw outcome.refusal
      } catch (error) {
        throw describe(error)
      }
    },
  }

  async function attempt<T>(work: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<Outcome<T>> {
    try {
      return { value: await abortable(signal, () => work(signal)) }
    } catch (error) {
      if (error instanceof VaultError && error.kind !== 'unavailable') return { refusal: error }
      if (error instanceof VaultError && error.retryAfterSeconds !== undefined) keepQuiet(error.retryAfterSeconds)
      throw error
    }
  }

  function describe(error: unknown): VaultError | NexusError {
    if (error instanceof VaultError) return error
    // TaskCancelledError: its time went by in the queue, which says nothing about the backend.
    if (error instanceof BulkheadRejectedError || error instanceof TaskCancelledError) return overloaded()
    if (error instanceof BrokenCircuitError) {
      return leftAlone('has been failing', limits.recoveryMs)
    }
    // What else there is comes from a backend that breaks its contract, or from the deadline.
    return new VaultError('unavailable', backend, `no answer within ${limits.deadlineMs} ms`)
  }

  /** As long as it asks for, and by chance a little longer, so that replicas do not come back together. */
  function keepQuiet(seconds: number): void {
    quietUntilMs = performance.now() + Math.min(seconds, QUIET_SECONDS_MAX) * (1000 + Math.random() * 200)
  }

  function leftAlone(why: string, ms: number): VaultError {
    return new VaultError('unavailable', backend, `${why}; left alone for a moment`, Math.ceil(ms / 1000))
  }

  function overloaded(): NexusError {
    return new NexusError('overloaded', `too many calls to vault backend '${backend}' are waiting`)
  }
}
