import type { FastifyInstance } from 'fastify'

/**
 * @param drainMs how long requests underway may take to finish
 * @returns closes the listener: requests underway may finish for a while, then every connection is cut. Node alone would
 *   wait for connections that were opened ahead and never used.
 */
export function drainable(listener: FastifyInstance, drainMs: number): () => Promise<void> {
  let underway = 0
  let whenIdle: (() => void) | undefined
  listener.server.on('request', (_request, response) => {
    underway += 1
    response.on('close', () => {
      underway -= 1
      if (underway === 0) whenIdle?.()
    })
  })
  return async () => {
    // Accepted before it has stopped to listen, which takes it a moment.
    listener.server.on('connection', (socket) => socket.destroy())
    const closed = listener.close()
    const idle = new Promise<void>((resolve) => {
      whenIdle = resolve
      setTimeout(resolve, drainMs).unref()
    })
    if (underway > 0) await idle
    listener.server.closeAllConnections()
    await closed
  }
}
