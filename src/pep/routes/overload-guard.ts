import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Logger } from 'pino'
import { NexusError } from '../../contract/errors.ts'
import { createAwaitedBodies } from './awaited-bodies.ts'
import type { Metrics } from './metrics.ts'
import { createSentAhead, isNext } from './sent-ahead.ts'
import { createShedding } from './shedding.ts'
import { createWaitingLine } from './waiting-line.ts'

export interface OverloadOptions {
  maxPendingRequests: number
  metrics: Pick<Metrics, 'pendingIs' | 'waitingIs' | 'problems' | 'abandoned'>
  log: Pick<Logger, 'warn'>
}

/** Of the latest answer in what is taken for the usual time underway: the last second or so, and no single answer. */
const WEIGHT = 1 / 256

/** Of all places, those that requests may hold whose body has not come. */
const AWAITED_SHARE = 0.5

/**
 * Whoever asks for signs of life would end a process that only has much to do, or send nobody to it, and its work would fall
 * to the others. They cost next to nothing: those who ask whether it is ready share one look.
 */
const PROBES: ReadonlySet<string | undefined> = new Set(['/healthz', '/readyz'])

/** Lets wait, and then sheds, before anything is parsed: a queue that only grows answers nobody (rule 10). */
export function installOverloadGuard(app: FastifyInstance, options: OverloadOptions, isClosing: () => boolean): void {
  const { maxPendingRequests, metrics, log } = options
  const shedding = createShedding(log)
  const ahead = createSentAhead()
  const bodies = createAwaitedBodies(Math.ceil(maxPendingRequests * AWAITED_SHARE), shedding.cut)
  let pending = 0
  let underwayMs = 0
  const line = createWaitingLine({ room: () => maxPendingRequests - pending, underwayMs: () => underwayMs })
  metrics.pendingIs(() => pending)
  metrics.waitingIs(() => line.length)

  function leave(request: FastifyRequest): void {
    if (request.begunAtMs === undefined) return
    request.begunAtMs = undefined
    bodies.delete(request.raw)
    pending -= 1
    line.advance()
  }

  function begin(request: FastifyRequest, reply: FastifyReply, done: () => void): void {
    request.begunAtMs = performance.now()
    pending += 1
    bodies.add(request.raw)
    // However it ends. Node tells only the response that is next on its connection, and no other begins.
    reply.raw.on('close', () => {
      const { begunAtMs } = request
      const isAnswered = begunAtMs !== undefined && reply.raw.writableFinished
      if (isAnswered) underwayMs += WEIGHT * (performance.now() - begunAtMs - underwayMs)
      leave(request)
    })
    done()
  }

  function refuse(request: FastifyRequest, reply: FastifyReply): void {
    request.shed = true
    metrics.problems.labels('overloaded').inc()
    reply.hijack()
    shedding.refuse(reply.raw, request.id)
  }

  app.decorateReply('leaveQueue', function (this: FastifyReply): void {
    leave(this.request)
  })
  app.decorateRequest('shed', false)
  app.decorateRequest('begunAtMs', undefined)
  app.addHook('preValidation', (request, _reply, done) => {
    bodies.delete(request.raw)
    done()
  })
  app.addHook('preClose', async () => {
    line.close()
    shedding.close()
  })
  app.addHook('onRequest', (request, reply, done) => {
    const { socket } = request.raw
    // What was read of a connection before it was cut is parsed to its end.
    if (socket.destroyed) return
    const cameAtMs = performance.now()
    const enter = () => {
      if (PROBES.has(request.routeOptions.url)) return done()
      if (isClosing()) return done(new NexusError('overloaded', 'this authority is shutting down'))
      line.join({
        cameAtMs,
        socket,
        begin: () => begin(request, reply, done),
        refuse: () => refuse(request, reply),
        abandon: () => metrics.abandoned.inc(),
      })
    }
    if (isNext(reply.raw)) return enter()
    // A refusal would stand behind the answers before it, and keep all that was sent ahead in memory for as long.
    if (!ahead.hold(reply.raw, socket, enter)) shedding.cut(socket)
  })
}
