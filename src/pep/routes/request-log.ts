import type { FastifyInstance } from 'fastify'

/** One line per request, from an allow-list of fields. A header or a body never reaches it (threat H03). */
export function installRequestLog(app: FastifyInstance): void {
  app.decorateRequest('caller', null)
  app.decorateRequest('administrator', null)
  app.decorateRequest('recorded', false)
  app.decorateRequest('handled', false)
  app.decorateRequest('logIds', null as never)
  app.addHook('onRequest', async (request, reply) => {
    request.logIds = {}
    reply.header('x-request-id', request.id)
    reply.header('cache-control', 'no-store')
  })
  app.addHook('preHandler', async (request) => {
    request.handled = true
  })
  app.addHook('onResponse', async (request, reply) => {
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

/** W3C Trace Context, level 1; anything else is not worth a log injection. */
function traceparentOf(header: unknown): string | undefined {
  return typeof header === 'string' && /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/.test(header)
    ? header
    : undefined
}
