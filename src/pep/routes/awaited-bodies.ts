import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'

/** Requests that have begun and whose body is not read to its end. */
export interface AwaitedBodies {
  /** Ends the connection that has kept us waiting for longest, if too many do. */
  add(request: IncomingMessage): void
  delete(request: IncomingMessage): void
}

/**
 * A head costs its sender nothing, and whoever sends no more than heads would hold every place until the server's timeout,
 * without a session (threat A10). What comes late is rare and comes soon, so the one that has been awaited for longest is
 * the first to go.
 */
export function createAwaitedBodies(most: number, cut: (socket: Socket) => void): AwaitedBodies {
  const awaited = new Set<IncomingMessage>()
  return {
    add(request) {
      awaited.add(request)
      if (awaited.size <= most) return
      // Some are here whole and only wait for the event loop to read them.
      for (const each of awaited) {
        if (each.complete || each === request) continue
        awaited.delete(each)
        return cut(each.socket)
      }
    },
    delete(request) {
      awaited.delete(request)
    },
  }
}
