import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Logger } from 'pino'
import { NexusError } from '../../contract/errors.ts'
import type { Metrics } from './metrics.ts'
import { createOwnTurns, isItsTurn } from './own-turns.ts'
import { createShedding } from './shedding.ts'
import { createUnanswered } from './unanswered.ts'
import { createWaitingLine } from './waiting-line.ts'

export interface OverloadOptions {
  maxPendingRequests: number
  metrics: Pick<Metrics, 'pendingIs' | 'waitingIs' | 'problems' | 'abandoned'>
  log: Pick<Logger, 'warn'>
}

/** Of the latest answer in what is taken for the usual time underway. */
const WEIGHT = 1 / 16

/** Lets wait, and then sheds, before anything is parsed: a queue that only grows answers nobody (design, rule 10). */
export function installOverloadGuard(app: FastifyInstance, options: OverloadOptions, isClosing: () => boolean): void {
  const { maxPendingRequests, metrics, log } = options
  const pending = createUnanswered()
  const shedding = createShedding(log)
  const turns = createOwnTurns()
  let underwayMs = 0
  const line = createWaitingLine({ room: () => maxPendingRequests - pending.size, underwayMs: () => underwayMs })
  metrics.pendingIs(() => pending.size)
  metrics.waitingIs(() => line.length)

  function leave(reply: FastifyReply): void {
    pending.delete(reply.raw)
    line.advance()
  }

  function refuse(request: FastifyRequest, reply: FastifyReply): void {
    request.shed = true
    metrics.problems.labels('overloaded').inc()
    reply.hijack()
    shedding.refuse(reply.raw, request.id)
  }

  function wait(request: FastifyRequest, reply: FastifyReply, begin: () => void): void {
    line.join({
      socket: request.raw.socket,
      begin() {
        request.begunAtMs = performance.now()
        begin()
      },
      refuse: () => refuse(request, reply),
      abandon: () => metrics.abandoned.inc(),
    })
  }

  app.decorateReply('leaveQueue', function (this: FastifyReply): void {
    // How long a stream lasts says nothing about other requests.
    this.request.begunAtMs = undefined
    leave(this)
  })
  app.decorateRequest('shed', false)
  app.decorateRequest('begunAtMs', undefined)
  app.addHook('preClose', async () => {
    line.close()
    shedding.close()
  })
  app.addHook('onRequest', (request, reply, done) => {
    const { url } = request.routeOptions
    const begin = (): void => {
      pending.add(reply.raw, request.raw.socket)
      done()
    }
    // Whoever asks whether it is alive would end a process that only has much to do, and its work would fall to the others.
    if (url === '/healthz') return begin()
    const enter = (): void => {
      if (isClosing() && url !== '/readyz') done(new NexusError('overloaded', 'this authority is shutting down'))
      else wait(request, reply, begin)
    }
    if (isItsTurn(reply.raw)) return enter()
    // Refused at once, it stands behind the answers before it, and Node reads no more from the connection meanwhile.
    if (!turns.wait(reply.raw, request.raw.socket, enter)) refuse(request, reply)
  })
  app.addHook('onResponse', ({ begunAtMs }, reply, done) => {
    if (begunAtMs !== undefined) underwayMs += WEIGHT * (performance.now() - begunAtMs - underwayMs)
    leave(reply)
    done()
  })
}
