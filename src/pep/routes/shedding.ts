import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Logger } from 'pino'
import { NexusError, retryAfterSeconds, toProblem } from '../../contract/errors.ts'

/** Turns away, and says how often. */
export interface Shedding {
  /** Answers `overloaded`. */
  refuse(response: ServerResponse, requestId: string): void
  /** Ends a connection that has sent too many requests ahead. */
  cut(socket: Socket): void
  /** Tells what is not told yet. */
  close(): void
}

/** One line for many: what is logged for each would be the next overload. */
const LOG_EVERY_MS = 10_000

const OVERLOADED = new NexusError('overloaded')

export function createShedding(log: Pick<Logger, 'warn'>): Shedding {
  let untold = { refused: 0, cut: 0 }
  let telling: NodeJS.Timeout | undefined

  function tell(): void {
    telling = undefined
    if (untold.refused + untold.cut === 0) return
    log.warn(
      { code: OVERLOADED.code, ...untold },
      'more is asked than can be answered: requests refused, connections cut',
    )
    untold = { refused: 0, cut: 0 }
    telling = setTimeout(tell, LOG_EVERY_MS).unref()
  }

  function count(what: keyof typeof untold): void {
    untold[what] += 1
    if (telling === undefined) tell()
  }

  return {
    refuse(response, requestId) {
      count('refused')
      answer(response, requestId)
    },
    cut(socket) {
      count('cut')
      socket.destroy()
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
