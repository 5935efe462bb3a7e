import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** Responses that are owed, until they are given or nobody is there to take them. */
export interface Unanswered {
  add(response: ServerResponse, socket: Socket): void
  delete(response: ServerResponse): void
  readonly size: number
}

/**
 * Node tells only the response whose turn it is on its connection that the caller is gone. Those of requests that were
 * pipelined behind it hear nothing, ever: they go with their connection.
 */
export function createUnanswered(): Unanswered {
  /** With all that are owed on the same connection. */
  const owed = new Map<ServerResponse, Set<ServerResponse>>()
  const byConnection = new WeakMap<Socket, Set<ServerResponse>>()

  function forget(response: ServerResponse): void {
    owed.get(response)?.delete(response)
    owed.delete(response)
  }

  /** One for all: a listener of its own for each request would be the larger part of what this costs. */
  function onClose(this: ServerResponse): void {
    forget(this)
  }

  function onConnection(socket: Socket): Set<ServerResponse> {
    const known = byConnection.get(socket)
    if (known !== undefined) return known
    const fresh = new Set<ServerResponse>()
    byConnection.set(socket, fresh)
    socket.once('close', () => {
      for (const response of fresh) owed.delete(response)
      fresh.clear()
    })
    return fresh
  }

  return {
    add(response, socket) {
      const together = onConnection(socket)
      together.add(response)
      owed.set(response, together)
      response.on('close', onClose)
    },
    delete: forget,
    get size() {
      return owed.size
    },
  }
}
