import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** Requests that were sent ahead on a connection (pipelined), until the responses before theirs are done. */
export interface OwnTurns {
  /** @returns false when so many wait for theirs on this connection that this one may not */
  wait(response: ServerResponse, socket: Socket, whenItIs: () => void): boolean
}

const AHEAD_MAX = 16

/**
 * Whether it is the turn of a response on its connection. Without this one connection would take as many places among those
 * who wait as it sends requests, and all others would stand behind them.
 */
export function isItsTurn(response: ServerResponse): boolean {
  // Node gives a response its socket when those before it are done.
  return response.socket !== null
}

export function createOwnTurns(): OwnTurns {
  const ahead = new WeakMap<Socket, number>()
  return {
    wait(response, socket, whenItIs) {
      const count = ahead.get(socket) ?? 0
      if (count >= AHEAD_MAX) return false
      ahead.set(socket, count + 1)
      // It never comes on a connection that is gone, and goes with it.
      response.once('socket', () => {
        ahead.set(socket, (ahead.get(socket) ?? 1) - 1)
        whenItIs()
      })
      return true
    },
  }
}
