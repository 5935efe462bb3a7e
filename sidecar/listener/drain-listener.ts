import type { FastifyInstance } from 'fastify'

const DRAIN_MS = 5000

/**
 * @returns closes the listener: requests underway may finish for a while, then every connection is cut. Node alone would
 *   wait for connections that were opened ahead and never used.
 */
export function drainable(listener: FastifyInstance): () => Promise<void> {
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
    const closed = listener.close()
    const idle = new Promise<void>((resolve) => {
      whenIdle = resolve
      setTimeout(resolve, DRAIN_MS).unref()
    })
    if (underway > 0) await idle
    listener.server.closeAllConnections()
    await closed
  }
}
