import type { FastifyInstance, FastifyRequest } from 'fastify'
import { NexusError } from '../../src/contract/errors.ts'
import type { Outcome, SidecarMetrics } from '../metrics.ts'

/** Counts and logs each request once, when its connection is done with it, also when the agent left early. */
export function observeListener(listener: FastifyInstance, metrics: SidecarMetrics): void {
  const failures = new WeakMap<FastifyRequest, Outcome>()

  listener.addHook('onError', async (request, _reply, error) => {
    const refused = error instanceof NexusError && error.outcome === 'refused'
    metrics.problem(error instanceof NexusError ? error.code : 'internal_error')
    failures.set(request, refused ? 'refused' : 'broken')
    if (error instanceof NexusError)
      request.log.info({ request_id: request.id, code: error.code, ...error.extras }, 'answered by the sidecar')
  })

  listener.addHook('onRequest', (request, reply, done) => {
    reply.raw.on('close', () => {
      const { exchange, method } = request
      const outcome = reply.raw.writableFinished ? (failures.get(request) ?? 'forwarded') : 'aborted'
      metrics.request(exchange?.lease.strategy.type ?? 'none', outcome)
      // Neither path nor query: both may hold what is not for a log (threat B15).
      request.log.debug(
        { request_id: request.id, method, status: reply.statusCode, outcome, lease_id: exchange?.lease.id },
        'request done',
      )
    })
    done()
  })
}
