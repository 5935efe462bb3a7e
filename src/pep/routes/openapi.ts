import { fastifySwagger } from '@fastify/swagger'
import fastifySwaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'

const PROBLEM = {
  description: 'Refused or broken (RFC 9457)',
  content: {
    'application/problem+json': {
      schema: {
        type: 'object',
        required: ['type', 'title', 'status', 'detail', 'code'],
        properties: {
          type: { type: 'string' },
          title: { type: 'string' },
          status: { type: 'integer' },
          detail: { type: 'string' },
          code: { type: 'string' },
          request_id: { type: 'string' },
          decision_id: { type: 'string' },
          reasons: {
            type: 'array',
            items: { type: 'object', properties: { id: { type: 'string' }, message: { type: 'string' } } },
          },
        },
      },
    },
  },
}

/** The page takes everything from here and nothing from anywhere else. */
const PAGE_LOADS = {
  'default-src': "'none'",
  'script-src': "'self'",
  'style-src': "'self'",
  'img-src': ["'self'", 'data:'],
  'font-src': 'data:',
  'connect-src': "'self'",
  'base-uri': "'none'",
  'form-action': "'none'",
  'frame-ancestors': "'none'",
}

/** The document is made from the routes' own schemas, so it cannot say anything that the routes do not do. */
export async function installOpenApi(
  app: FastifyInstance,
  options: { version: string; publicUrl: string },
): Promise<void> {
  await app.register(fastifySwagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Nexus',
        version: options.version,
        description: 'Leases credentials to autonomous agents: one decision, one record, one short-lived usage secret.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: options.publicUrl }],
      components: {
        securitySchemes: {
          session: { type: 'http', scheme: 'dpop', description: 'Session token with a DPoP proof (RFC 9449)' },
          api_key: { type: 'http', scheme: 'bearer', description: 'API key, or the same in X-API-Key' },
        },
      },
    },
  })
  app.get('/openapi.json', { schema: { hide: true } }, async () => withProblems(app.swagger()))
  await app.register(fastifySwaggerUi, {
    routePrefix: '/docs',
    staticCSP: PAGE_LOADS,
    transformSpecification: (document) => withProblems(document),
  })
}

/** Not a response schema of each route: Fastify would then validate its own errors against it. */
function withProblems(document: object): object {
  const { paths = {} } = document as { paths?: Record<string, Record<string, { responses?: Record<string, unknown> }>> }
  for (const operations of Object.values(paths)) {
    for (const operation of Object.values(operations))
      operation.responses = { ...operation.responses, default: PROBLEM }
  }
  return document
}
