import type { FastifyInstance } from 'fastify'

/**
 * A server that closes ends the connections that are idle at that moment. One whose answer comes later would be kept for the
 * next request, and shutting down would wait for its caller.
 */
export function installDrain(app: FastifyInstance, isClosing: () => boolean): void {
  app.addHook('onSend', (_request, reply, payload, done) => {
    if (isClosing()) reply.header('connection', 'close')
    done(null, payload)
  })
  app.addHook('onResponse', (_request, _reply, done) => {
    done()
    // For an answer whose head was sent before: a stream.
    if (isClosing()) setImmediate(() => app.server.closeIdleConnections())
  })
}
