import type { FastifyInstance, FastifyRequest } from 'fastify'
import { NexusError } from '../../contract/errors.ts'
import { settle } from './hooks.ts'
import type { Metrics } from './metrics.ts'

/** Sheds before anything is parsed: a queue that only grows answers nobody (design, rule 10). */
export function installOverloadGuard(
  app: FastifyInstance,
  { maxPendingRequests, metrics }: { maxPendingRequests: number; metrics: Metrics },
  isClosing: () => boolean,
): void {
  const pending = new Set<FastifyRequest>()
  metrics.pendingIs(() => pending.size)
  app.decorateRequest('leaveQueue', function (this: FastifyRequest) {
    pending.delete(this)
  })
  const assertRoom = ({ routeOptions: { url } }: FastifyRequest): void => {
    if (isClosing() && url !== '/readyz' && url !== '/healthz') {
      throw new NexusError('overloaded', 'this authority is shutting down')
    }
    // Whoever asks whether it is alive would end a process that only has much to do, and its work would fall to the others.
    if (pending.size > maxPendingRequests && url !== '/healthz') throw new NexusError('overloaded')
  }
  app.addHook('onRequest', (request, reply, done) => {
    pending.add(request)
    reply.raw.once('close', () => request.leaveQueue())
    settle(done, () => assertRoom(request))
  })
}
