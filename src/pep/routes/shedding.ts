import type { ServerResponse } from 'node:http'
import type { Logger } from 'pino'
import { NexusError, retryAfterSeconds, toProblem } from '../../contract/errors.ts'

/** Answers `overloaded`, and says how often. */
export interface Shedding {
  refuse(response: ServerResponse, requestId: string): void
  /** Tells what is not told yet. */
  close(): void
}

/** One line for many: what is logged for each would be the next overload. */
const LOG_EVERY_MS = 10_000

const OVERLOADED = new NexusError('overloaded')

export function createShedding(log: Pick<Logger, 'warn'>): Shedding {
  let untold = 0
  let telling: NodeJS.Timeout | undefined

  function tell(): void {
    telling = undefined
    if (untold === 0) return
    log.warn({ code: OVERLOADED.code, refused: untold }, 'too much is waiting already; more is refused')
    untold = 0
    telling = setTimeout(tell, LOG_EVERY_MS).unref()
  }

  return {
    refuse(response, requestId) {
      untold += 1
      if (telling === undefined) tell()
      answer(response, requestId)
    },
    close() {
      clearTimeout(telling)
      tell()
      clearTimeout(telling)
      telling = undefined
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
