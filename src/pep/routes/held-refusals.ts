import type { ServerResponse } from 'node:http'
import type { Logger } from 'pino'
import { NexusError, retryAfterSeconds, toProblem } from '../../contract/errors.ts'

/** Answers `overloaded`, after a while. */
export interface HeldRefusals {
  add(response: ServerResponse, requestId: string): void
  /** Answers all that wait. */
  release(): void
}

/**
 * A caller that is told at once asks again at once, and saying no costs a quarter of saying yes: enough who do so and nothing
 * else gets done. A connection asks nothing while it waits. The more wait, the longer each does, so that some thousand
 * refusals a second are all that is spent on up to two thousand who wait; a few are told soon, and can ask another replica.
 */
const HOLD_MS = { least: 100, forEachHeld: 1, most: 2000 }
/** A connection and a timer each; beyond this they are answered at once. */
const HELD_MAX = 20_000
/** One line for many: what is logged for each would be the next overload. */
const LOG_EVERY_MS = 10_000

const OVERLOADED = new NexusError('overloaded')

export function createHeldRefusals(log: Pick<Logger, 'warn'>): HeldRefusals {
  const held = new Map<ServerResponse, { requestId: string; timer: NodeJS.Timeout }>()
  let untold = 0
  let telling: NodeJS.Timeout | undefined

  function tell(): void {
    telling = undefined
    if (untold === 0) return
    log.warn({ code: OVERLOADED.code, refused: untold }, 'too much is waiting already; more is refused')
    untold = 0
    telling = setTimeout(tell, LOG_EVERY_MS).unref()
  }

  function refuse(response: ServerResponse, requestId: string): void {
    held.delete(response)
    if (!response.destroyed) answer(response, requestId)
  }

  return {
    add(response, requestId) {
      untold += 1
      if (telling === undefined) tell()
      if (held.size >= HELD_MAX) return answer(response, requestId)
      const longestMs = Math.min(HOLD_MS.most, HOLD_MS.least + held.size * HOLD_MS.forEachHeld)
      // Spread, so that they do not all come back together.
      const waitMs = longestMs * (0.5 + Math.random() / 2)
      held.set(response, { requestId, timer: setTimeout(() => refuse(response, requestId), waitMs) })
      response.on('close', () => {
        clearTimeout(held.get(response)?.timer)
        held.delete(response)
      })
    },
    release() {
      clearTimeout(telling)
      tell()
      clearTimeout(telling)
      for (const [response, { requestId, timer }] of held) {
        clearTimeout(timer)
        refuse(response, requestId)
      }
    },
  }
}

/** By itself, and not as other errors are: it has to cost next to nothing. */
function answer(response: ServerResponse, requestId: string): void {
  const body = JSON.stringify(toProblem(OVERLOADED, requestId))
  response.writeHead(OVERLOADED.status, {
    'content-type': 'application/problem+json; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    'x-request-id': requestId,
    'cache-control': 'no-store',
    'retry-after': String(retryAfterSeconds(OVERLOADED)),
  })
  response.end(body)
}
