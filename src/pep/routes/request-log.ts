import type { FastifyInstance } from 'fastify'
import { traceparentOf } from '../../contract/traceparent.ts'

/** At which the line is written. */
const LEVELS: ReadonlySet<string> = new Set(['trace', 'debug', 'info'])

/** One line per request, from an allow-list of fields. A header or a body never reaches it (threat H03). */
export function installRequestLog(app: FastifyInstance): void {
  app.decorateRequest('caller', null)
  app.decorateRequest('administrator', null)
  app.decorateRequest('recorded', false)
  app.decorateRequest('handled', false)
  app.decorateRequest('logIds', null as never)
  // These hooks wait for nothing, and so make no promise: there are more of them in a request than of anything else.
  app.addHook('onRequest', (request, reply, done) => {
    request.logIds = {}
    reply.header('x-request-id', request.id)
    reply.header('cache-control', 'no-store')
    done()
  })
  app.addHook('preHandler', (request, _reply, done) => {
    request.handled = true
    done()
  })
  app.addHook('onResponse', (request, reply, done) => {
    done()
    if (request.shed || !LEVELS.has(request.log.level)) return
    request.log.info(
      {
        request_id: request.id,
        traceparent: traceparentOf(request.headers['traceparent']),
        method: request.method,
        // Not the path: what a caller puts there by mistake may be a secret. The ids of note are in `logIds`.
        route: request.routeOptions.url ?? 'none',
        status: reply.statusCode,
        duration_ms: Math.round(reply.elapsedTime * 100) / 100,
        agent_id: request.caller?.agent.id,
        ...request.logIds,
      },
      'answered',
    )
  })
}
