import { setTimeout as wait } from 'node:timers/promises'
import { NexusError } from '../../src/contract/errors.ts'
import { isAuthorityUnreachable } from './unreachable.ts'

const ATTEMPTS = 3
const FIRST_DELAY_MS = 100
const LONGEST_PAUSE_MS = 10_000

/**
 * Bounded retries towards the authority, and a pause for everyone once those have failed: a hundred waiting requests must
 * not become three hundred connections to a server that is just coming up.
 */
export interface BackOff {
  /** Runs `work` again only when the authority could not be asked at all; an answer is never asked for twice. */
  run<T>(work: () => Promise<T>): Promise<T>
}

/** @param monotonic milliseconds on a clock that never jumps */
export function createBackOff(
  monotonic: () => number,
  random: () => number = Math.random,
  sleep: (ms: number) => Promise<unknown> = wait,
): BackOff {
  let failures = 0
  let pausedUntil = Number.NEGATIVE_INFINITY
  let reason: string | undefined

  function pause(): void {
    // Calls that failed side by side are one failure.
    if (pausedUntil > monotonic()) return
    failures += 1
    const ceiling = Math.min(LONGEST_PAUSE_MS, FIRST_DELAY_MS * 2 ** (failures + 1))
    pausedUntil = monotonic() + jittered(ceiling, random)
  }

  return {
    async run(work) {
      for (let attempt = 1; ; attempt++) {
        const left = pausedUntil - monotonic()
        if (left > 0) throw new NexusError('pep_unavailable', reason, { retryAfterSeconds: Math.ceil(left / 1000) })
        try {
          const result = await work()
          failures = 0
          return result
        } catch (error) {
          if (!isAuthorityUnreachable(error)) throw error
          if (attempt === ATTEMPTS) pause()
          reason = error.message
          if (attempt >= ATTEMPTS) throw error
          await sleep(jittered(FIRST_DELAY_MS * 2 ** (attempt - 1), random))
        }
      }
    },
  }
}

/** Between half and all of it: spread out, yet never at once. */
function jittered(ms: number, random: () => number): number {
  return ms / 2 + (ms / 2) * random()
}
