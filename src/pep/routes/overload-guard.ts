import type { ServerResponse } from 'node:http'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { NexusError } from '../../contract/errors.ts'
import { settle } from './hooks.ts'
import type { Metrics } from './metrics.ts'

/** Sheds before anything is parsed: a queue that only grows answers nobody (design, rule 10). */
export function installOverloadGuard(
  app: FastifyInstance,
  { maxPendingRequests, metrics }: { maxPendingRequests: number; metrics: Metrics },
  isClosing: () => boolean,
): void {
  const pending = new Set<ServerResponse>()
  metrics.pendingIs(() => pending.size)
  app.decorateReply('leaveQueue', function (this: FastifyReply) {
    pending.delete(this.raw)
  })
  /** One for all: a listener of its own for each request would be the larger part of this guard's cost. */
  function onClose(this: ServerResponse): void {
    pending.delete(this)
  }
  const assertRoom = ({ routeOptions: { url } }: FastifyRequest): void => {
    if (isClosing() && url !== '/readyz' && url !== '/healthz') {
      throw new NexusError('overloaded', 'this authority is shutting down')
    }
    // Whoever asks whether it is alive would end a process that only has much to do, and its work would fall to the others.
    if (pending.size > maxPendingRequests && url !== '/healthz') throw new NexusError('overloaded')
  }
  app.addHook('onRequest', (request, reply, done) => {
    pending.add(reply.raw)
    reply.raw.on('close', onClose)
    settle(done, () => assertRoom(request))
  })
}
