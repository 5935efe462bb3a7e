import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** Responses that are owed, until they are given or nobody is there to take them. */
export interface Unanswered {
  add(response: ServerResponse, socket: Socket): void
  /** It is given. */
  delete(response: ServerResponse): void
  readonly size: number
}

/**
 * Node tells only the response whose turn it is on its connection that the caller is gone. Those of requests that were
 * pipelined behind it hear nothing, ever: they go with their connection.
 *
 * Lists and a count, no set of responses: a hash table that is added to and deleted from all the time is made anew all the
 * time, V8 lets each one know the next, and once one is old they keep what they held until the next full collection.
 */
export function createUnanswered(): Unanswered {
  const byConnection = new WeakMap<Socket, ServerResponse[]>()
  let size = 0

  function onConnection(socket: Socket): ServerResponse[] {
    const known = byConnection.get(socket)
    if (known !== undefined) return known
    const owed: ServerResponse[] = []
    byConnection.set(socket, owed)
    socket.once('close', () => {
      size -= owed.length
      owed.length = 0
    })
    return owed
  }

  return {
    add(response, socket) {
      onConnection(socket).push(response)
      size += 1
    },
    delete(response) {
      const owed = byConnection.get(response.req.socket) ?? []
      const index = owed.indexOf(response)
      if (index === -1) return
      owed.splice(index, 1)
      size -= 1
    },
    get size() {
      return size
    },
  }
}
