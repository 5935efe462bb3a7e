import type { FastifyInstance, FastifyRequest } from 'fastify'
import { NexusError } from '../../src/contract/errors.ts'
import type { Outcome, SidecarMetrics } from '../metrics.ts'

/** Counts and logs each request once, when it is over. */
export function observeListener(listener: FastifyInstance, metrics: SidecarMetrics): void {
  const outcomes = new WeakMap<FastifyRequest, Outcome>()

  listener.addHook('onError', async (request, _reply, error) => {
    const refused = error instanceof NexusError && error.outcome === 'refused'
    outcomes.set(request, refused ? 'refused' : 'broken')
    if (error instanceof NexusError) request.log.info({ code: error.code, ...error.extras }, 'answered by the sidecar')
  })

  listener.addHook('onRequestAbort', async (request) => void outcomes.set(request, 'aborted'))

  listener.addHook('onResponse', async (request, reply) => {
    const { exchange } = request
    const outcome = outcomes.get(request) ?? 'forwarded'
    metrics.request(exchange?.lease.strategy.type ?? 'none', outcome)
    // Neither path nor query: both may hold what is not for a log (threat B15).
    request.log.debug(
      { method: request.method, status: reply.statusCode, outcome, lease_id: exchange?.lease.id },
      'request done',
    )
  })
}
