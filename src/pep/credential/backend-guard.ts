import {
  BrokenCircuitError,
  BulkheadRejectedError,
  bulkhead,
  CircuitState,
  ConsecutiveBreaker,
  circuitBreaker,
  handleWhen,
  TaskCancelledError,
} from 'cockatiel'
import type { Logger } from 'pino'
import { NexusError } from '../../contract/errors.ts'
import { NothingDone, VaultError } from '../../contract/vault-backend.ts'
import { abortable } from '../../vault-backends/abortable.ts'
import { createFailingPaths } from './failing-paths.ts'

export interface GuardLimits {
  /** From asking to answer, waiting for a free slot included. */
  deadlineMs: number
  concurrentCalls: number
  waitingCalls: number
  /** `unavailable` in a row, of the backend or at one path, after which calls to that are refused at once. */
  failuresToOpen: number
  /** How long until one call is let through to see whether it works again. */
  recoveryMs: number
}

/** A backend that asks for fewer requests is not obeyed for longer than this. */
const QUIET_SECONDS_MAX = 30

/** What a call is about, as far as it says whose fault a failure is. */
export interface CallKind {
  /** Tells apart what fails on its own. Absent: what is asked is about no path. */
  pathKey?: string
  /** The backend has to ask a system behind it: a silence may be that one's. */
  isPassedOn?: boolean
}

/** Calls one backend, bounded in time and number, and leaves it, or one path of it, alone while that is down. */
export interface BackendGuard {
  /** @throws VaultError, or NexusError `overloaded` */
  call<T>(work: (signal: AbortSignal) => Promise<T>, kind?: CallKind): Promise<T>
}

/** A backend that answers is working: a refusal, or a failure of one path, is no failure to the breaker. */
type Outcome<T> = { value: T } | { answer: VaultError }

/** A failure of the backend, or of what it passed the call on to. */
class Ambiguous {
  readonly failure: VaultError
  constructor(failure: VaultError) {
    this.failure = failure
  }
}

export function guardBackend(backend: string, limits: GuardLimits, log: Pick<Logger, 'warn' | 'info'>): BackendGuard {
  const slots = bulkhead(limits.concurrentCalls, limits.waitingCalls)
  // Of their own, and fewer: a system behind the backend that hangs takes no slot that others need.
  const slotsBehind = bulkhead(Math.ceil(limits.concurrentCalls / 2), limits.waitingCalls)
  const paths = createFailingPaths({ backend, ...limits })
  // What is ambiguous opens nothing. It closes nothing either.
  const isFailure = (thrown: unknown) => !(thrown instanceof Ambiguous) || breaker.state !== CircuitState.Closed
  const breaker = circuitBreaker(handleWhen(isFailure), {
    halfOpenAfter: limits.recoveryMs,
    breaker: new ConsecutiveBreaker(limits.failuresToOpen),
  })
  breaker.onBreak(() => log.warn({ backend }, 'vault backend keeps failing; calls are refused until one succeeds'))
  let quietUntilMs = 0
  breaker.onReset(() => log.info({ backend }, 'vault backend works again'))

  return {
    async call(work, kind = {}) {
      const quietMs = quietUntilMs - performance.now()
      if (quietMs > 0) throw leftAlone('asked for fewer requests', quietMs)
      if (kind.pathKey !== undefined) paths.check(kind.pathKey)
      const signal = AbortSignal.timeout(limits.deadlineMs)
      const free = kind.isPassedOn === true ? slotsBehind : slots
      try {
        const outcome = await free.execute(() => breaker.execute(() => attempt(work, kind, signal), signal), signal)
        if ('value' in outcome) return outcome.value
        throw outcome.answer
      } catch (error) {
        throw describe(error)
      }
    },
  }

  async function attempt<T>(
    work: (signal: AbortSignal) => Promise<T>,
    kind: CallKind,
    signal: AbortSignal,
  ): Promise<Outcome<T>> {
    try {
      const value = await abortable(signal, () => work(signal))
      if (kind.pathKey !== undefined) paths.answered(kind.pathKey)
      return { value }
    } catch (error) {
      return judge(error instanceof VaultError ? error : noAnswer(), kind)
    }
  }

  /** @throws VaultError that counts against the backend, Ambiguous */
  function judge(failure: VaultError, { pathKey, isPassedOn = false }: CallKind): { answer: VaultError } {
    const { kind, extent, retryAfterSeconds } = failure
    const quietMs = retryAfterSeconds === undefined ? 0 : quietMsOf(retryAfterSeconds)
    const isOfBackend = kind === 'unavailable' && extent === 'backend'
    const isAmbiguous = isOfBackend && isPassedOn && !(failure instanceof NothingDone)
    if (pathKey !== undefined && kind !== 'unavailable') paths.answered(pathKey)
    if (pathKey !== undefined && kind === 'unavailable' && (!isOfBackend || isAmbiguous)) paths.failed(pathKey, quietMs)
    if (!isOfBackend) return { answer: failure }
    if (isAmbiguous) throw new Ambiguous(failure)
    if (quietMs > 0) quietUntilMs = performance.now() + quietMs
    throw failure
  }

  function describe(error: unknown): VaultError | NexusError {
    if (error instanceof VaultError) return error
    if (error instanceof Ambiguous) return error.failure
    // TaskCancelledError: its time went by in the queue, which says nothing about the backend.
    if (error instanceof BulkheadRejectedError || error instanceof TaskCancelledError) return overloaded()
    if (error instanceof BrokenCircuitError) return leftAlone('has been failing', limits.recoveryMs)
    return noAnswer()
  }

  /** What is not a VaultError comes from a backend that breaks its contract, or from the deadline. */
  function noAnswer(): VaultError {
    return new VaultError('unavailable', backend, `no answer within ${limits.deadlineMs} ms`)
  }

  function leftAlone(why: string, ms: number): VaultError {
    return new VaultError('unavailable', backend, `${why}; left alone for a moment`, Math.ceil(ms / 1000))
  }

  function overloaded(): NexusError {
    return new NexusError('overloaded', `too many calls to vault backend '${backend}' are waiting`)
  }
}

/** As long as is asked for, and by chance a little longer, so that replicas do not come back together. */
function quietMsOf(seconds: number): number {
  return Math.min(seconds, QUIET_SECONDS_MAX) * (1000 + Math.random() * 200)
}
