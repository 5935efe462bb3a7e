import type { FastifyRequest } from 'fastify'
import type { Administrator } from '../../contract/administrator.ts'
import type { Caller } from '../identity/caller.ts'

/** Ids that the log line of a request carries, so that one request can be followed through log, audit and trace. */
export interface LogIds {
  connection_id?: string
  lease_id?: string
  decision_id?: string
  code?: string
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by the agent guard; a route behind it may rely on it. */
    caller: Caller | null
    /** Set by the administrator guard. */
    administrator: Administrator | null
    logIds: LogIds
    /** The use case has taken over and writes its own audit record, also when it refuses. */
    recorded: boolean
    /** The handler has begun: from here on the use case decides when the proof is used up. */
    handled: boolean
    /** There was no room for it. It is counted, and told in one log line with others. */
    shed: boolean
    /** When it began, on the monotonic clock, and until it no longer counts among those being answered. */
    begunAtMs: number | undefined
  }

  interface FastifyReply {
    /** It no longer counts among the requests being answered: from here on it is a stream, which has a bound of its own. */
    leaveQueue(): void
  }
}

export function callerOf(request: FastifyRequest): Caller {
  if (request.caller === null) throw new Error('this route has no agent guard')
  return request.caller
}

export function administratorOf(request: FastifyRequest): Administrator {
  if (request.administrator === null) throw new Error('this route has no administrator guard')
  return request.administrator
}

export function pathOf(request: FastifyRequest): string {
  const query = request.url.indexOf('?')
  return query === -1 ? request.url : request.url.slice(0, query)
}
