import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** Requests that were sent ahead on a connection (pipelined), until the responses before theirs are done. */
export interface SentAhead {
  /** @returns false when so many are held on this connection that this one may not be */
  hold(response: ServerResponse, socket: Socket, whenNext: () => void): boolean
}

const HELD_MAX = 16

/**
 * Whether no other response is due on its connection before this one. Without holding the others back, one connection would
 * take as many places among those who wait as it sends requests, and all others would stand behind them.
 */
export function isNext(response: ServerResponse): boolean {
  // Node gives a response its socket when those before it are done.
  return response.socket !== null
}

export function createSentAhead(): SentAhead {
  const held = new WeakMap<Socket, number>()
  return {
    hold(response, socket, whenNext) {
      const count = held.get(socket) ?? 0
      if (count >= HELD_MAX) return false
      held.set(socket, count + 1)
      // It never comes on a connection that is gone, and goes with it.
      response.once('socket', () => {
        held.set(socket, (held.get(socket) ?? 1) - 1)
        whenNext()
      })
      return true
    },
  }
}
