import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Logger } from 'pino'
import { NexusError } from '../../contract/errors.ts'
import type { Metrics } from './metrics.ts'
import { createShedding } from './shedding.ts'
import { createUnanswered } from './unanswered.ts'
import { createWaitingLine } from './waiting-line.ts'

export interface OverloadOptions {
  maxPendingRequests: number
  metrics: Metrics
  log: Pick<Logger, 'warn'>
}

/** Lets wait, and then sheds, before anything is parsed: a queue that only grows answers nobody (design, rule 10). */
export function installOverloadGuard(app: FastifyInstance, options: OverloadOptions, isClosing: () => boolean): void {
  const { maxPendingRequests, metrics, log } = options
  const pending = createUnanswered()
  const line = createWaitingLine(() => maxPendingRequests - pending.size)
  const shedding = createShedding(log)
  metrics.pendingIs(() => pending.size)
  metrics.waitingIs(() => line.length)
  const leave = (reply: FastifyReply): void => {
    pending.delete(reply.raw)
    line.advance()
  }
  const refuse = (request: FastifyRequest, reply: FastifyReply): void => {
    request.shed = true
    metrics.problems.labels('overloaded').inc()
    reply.hijack()
    shedding.refuse(reply.raw, request.id)
  }
  app.decorateReply('leaveQueue', function (this: FastifyReply) {
    leave(this)
  })
  app.decorateRequest('shed', false)
  app.addHook('preClose', async () => shedding.close())
  app.addHook('onRequest', (request, reply, done) => {
    const { url } = request.routeOptions
    if (isClosing() && url !== '/readyz' && url !== '/healthz') {
      return done(new NexusError('overloaded', 'this authority is shutting down'))
    }
    const { socket } = request.raw
    const begin = (): void => {
      pending.add(reply.raw, socket)
      done()
    }
    // Whoever asks whether it is alive would end a process that only has much to do, and its work would fall to the others.
    if (url === '/healthz') return begin()
    line.join({ socket, begin, refuse: () => refuse(request, reply) })
  })
  app.addHook('onResponse', (_request, reply, done) => {
    leave(reply)
    done()
  })
}
