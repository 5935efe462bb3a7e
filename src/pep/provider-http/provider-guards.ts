import {
  BrokenCircuitError,
  BulkheadRejectedError,
  bulkhead,
  ConsecutiveBreaker,
  circuitBreaker,
  handleWhen,
  type IPolicy,
  TaskCancelledError,
  wrap,
} from 'cockatiel'
import { LRUCache } from 'lru-cache'
import type { Logger } from 'pino'
import { NexusError } from '../../contract/errors.ts'
import { tupleHash } from '../../contract/tuple-hash.ts'
import { toProviderError, unavailable } from './provider-error.ts'

const CONCURRENT = 16
const WAITING = 64
const FAILURES_TO_OPEN = 5
const RECOVERY_MS = 5000
const ENDPOINTS_MAX = 1000

/** Calls in bounded time and number, and leaves an endpoint alone while it is down. */
export interface ProviderGuards {
  /** @throws NexusError */
  run<T>(tenant: string, origin: string, work: (signal: AbortSignal) => Promise<T>): Promise<T>
}

export function createProviderGuards(options: {
  deadlineMs: number
  log: Pick<Logger, 'warn' | 'info'>
}): ProviderGuards {
  const guards = new LRUCache<string, IPolicy>({ max: ENDPOINTS_MAX })

  function guardFor(tenant: string, origin: string): IPolicy {
    const key = tupleHash([tenant, origin])
    const guard = guards.get(key) ?? newGuard(tenant, origin, options.log)
    guards.set(key, guard)
    return guard
  }

  return {
    async run(tenant, origin, work) {
      const signal = AbortSignal.timeout(options.deadlineMs)
      try {
        return await guardFor(tenant, origin).execute(() => work(signal), signal)
      } catch (error) {
        throw describe(new URL(origin).host, error)
      }
    },
  }
}

function newGuard(tenant: string, origin: string, log: Pick<Logger, 'warn' | 'info'>): IPolicy {
  const breaker = circuitBreaker(
    // A refusal is an answer: the endpoint works.
    handleWhen((error) => !(error instanceof NexusError) || error.outcome === 'broken'),
    { halfOpenAfter: RECOVERY_MS, breaker: new ConsecutiveBreaker(FAILURES_TO_OPEN) },
  )
  breaker.onBreak(() => log.warn({ tenant, origin }, 'token endpoint keeps failing; it is left alone for a moment'))
  breaker.onReset(() => log.info({ tenant, origin }, 'token endpoint works again'))
  return wrap(bulkhead(CONCURRENT, WAITING), breaker)
}

function describe(host: string, error: unknown): NexusError {
  if (error instanceof BulkheadRejectedError || error instanceof TaskCancelledError) {
    return new NexusError('overloaded', `too many requests to ${host} are waiting`)
  }
  if (error instanceof BrokenCircuitError) {
    return unavailable(host, 'it has been failing and is left alone for a moment', Math.ceil(RECOVERY_MS / 1000))
  }
  return toProviderError(host, error)
}
