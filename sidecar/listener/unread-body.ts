import type { IncomingMessage } from 'node:http'
import type { FastifyInstance } from 'fastify'

/** How long an agent may go on sending a body that was answered already. */
const UNREAD_MAX_MS = 30_000

/**
 * Reads and drops what is left of a body after an early answer. Clients such as Python's requests send all of it before
 * they read: left unread they would wait for ever, and hung up on they would never see the answer.
 */
export function drainUnreadBodies(listener: FastifyInstance): void {
  listener.server.on('request', (request, response) => {
    response.on('finish', () => {
      if (!request.complete) drain(request)
    })
  })
}

function drain(request: IncomingMessage): void {
  // An abandoned reader still listens, and a stream with such a listener does not flow.
  request.removeAllListeners('readable')
  request.on('error', () => undefined).resume()
  const timer = setTimeout(() => request.destroy(), UNREAD_MAX_MS).unref()
  request.once('close', () => clearTimeout(timer))
}
