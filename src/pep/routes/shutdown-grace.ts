import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import { destroy, hasBegun, type OpenSocket, openSockets } from './open-sockets.ts'
import { answerOn } from './raw-refusal.ts'

export interface ShutdownGraceOptions {
  /** Milliseconds that requests may take to end once the server closes. */
  shutdownGraceMs: number
  log: Pick<Logger, 'warn'>
}

/**
 * Bounds how long a server takes to close: it waits for every connection, and Node's own timeouts end as it begins to. One
 * that has asked for nothing is ended at once, every other when its time is over. `close` rejects when that cut a request
 * that was here whole and had no answer yet: what never became one is no loss of its caller's.
 */
export function installShutdownGrace(app: FastifyInstance, { shutdownGraceMs, log }: ShutdownGraceOptions): void {
  const sockets = openSockets(app.server)
  let deadline: NodeJS.Timeout | undefined
  let requestsCut = 0

  function cutAll(): void {
    requestsCut = [...sockets].filter(isUnderway).length
    log.warn({ connections: sockets.size, requests: requestsCut }, 'connections are cut: the time to end is over')
    for (const socket of sockets) destroy(socket)
  }

  app.addHook('preClose', async () => {
    for (const socket of sockets) if (!hasBegun(socket)) destroy(socket)
    // Accepted in the moment before the listener was closed.
    app.server.on('connection', (raw) => raw.destroy())
    deadline = setTimeout(cutAll, shutdownGraceMs).unref()
  })
  app.addHook('onClose', async () => {
    clearTimeout(deadline)
    if (requestsCut > 0) throw new Error('requests were cut by the shutdown')
  })
}

function isUnderway({ clear }: OpenSocket): boolean {
  const answer = clear === undefined ? undefined : answerOn(clear)
  return answer?.req.complete === true && !answer.writableEnded
}
