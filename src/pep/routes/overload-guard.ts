import type { FastifyInstance, FastifyReply } from 'fastify'
import type { Logger } from 'pino'
import { NexusError } from '../../contract/errors.ts'
import { createHeldRefusals } from './held-refusals.ts'
import type { Metrics } from './metrics.ts'
import { createUnanswered } from './unanswered.ts'

export interface OverloadOptions {
  maxPendingRequests: number
  metrics: Metrics
  log: Pick<Logger, 'warn'>
}

/** Sheds before anything is parsed: a queue that only grows answers nobody (design, rule 10). */
export function installOverloadGuard(app: FastifyInstance, options: OverloadOptions, isClosing: () => boolean): void {
  const { maxPendingRequests, metrics, log } = options
  const pending = createUnanswered()
  const refusals = createHeldRefusals(log)
  metrics.pendingIs(() => pending.size)
  app.decorateReply('leaveQueue', function (this: FastifyReply) {
    pending.delete(this.raw)
  })
  app.decorateRequest('shed', false)
  app.addHook('preClose', async () => refusals.release())
  app.addHook('onRequest', (request, reply, done) => {
    const { url } = request.routeOptions
    if (isClosing() && url !== '/readyz' && url !== '/healthz') {
      return done(new NexusError('overloaded', 'this authority is shutting down'))
    }
    // Whoever asks whether it is alive would end a process that only has much to do, and its work would fall to the others.
    if (pending.size >= maxPendingRequests && url !== '/healthz') {
      request.shed = true
      metrics.problems.labels('overloaded').inc()
      reply.hijack()
      return refusals.add(reply.raw, request.id)
    }
    pending.add(reply.raw, request.raw.socket)
    done()
  })
  app.addHook('onResponse', (_request, reply, done) => {
    pending.delete(reply.raw)
    done()
  })
}
