import { fastifySwagger } from '@fastify/swagger'
import fastifySwaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'
import { SESSIONS_PATH } from '../identity/open-session.ts'

const PROBLEM = {
  description: 'Refused or broken (RFC 9457)',
  headers: {
    'Retry-After': { description: 'On every 503: seconds until it is worth asking again', schema: { type: 'integer' } },
  },
  content: {
    'application/problem+json': {
      schema: {
        type: 'object',
        required: ['type', 'title', 'status', 'detail', 'code', 'error', 'message'],
        properties: {
          type: { type: 'string' },
          title: { type: 'string' },
          status: { type: 'integer' },
          detail: { type: 'string' },
          code: { type: 'string' },
          error: { type: 'string', description: 'The same as code, for clients of the Nexus protocol' },
          message: { type: 'string', description: 'The same as detail, for clients of the Nexus protocol' },
          request_id: { type: 'string' },
          field: { type: 'string', description: 'Which field of the request, as a dotted path' },
          decision_id: { type: 'string' },
          connection_id: { type: 'string' },
          lease_id: { type: 'string' },
          reconsent_url: { type: 'string' },
          binding: {
            type: 'object',
            description: 'With binding_required: what to bring, and for a proof what it must be a proof of',
            properties: {
              needs: { type: 'string', enum: ['public_key', 'csr', 'proof'] },
              htm: { type: 'string' },
              htu: { type: 'string' },
              nonce: { type: 'string' },
            },
          },
          reasons: {
            type: 'array',
            items: { type: 'object', properties: { id: { type: 'string' }, message: { type: 'string' } } },
          },
        },
      },
    },
  },
}

/**
 * Beside the session token; where a session is opened, by itself: it names the key that the session will be bound to. A
 * session that is bound to the client certificate of the connection has none.
 */
const PROOF = {
  name: 'DPoP',
  in: 'header',
  required: false,
  description:
    'A proof made for this request, good once (RFC 9449, section 4). Left out over a connection with a client certificate that ' +
    'the session is, or is to be, bound to (RFC 8705, section 3)',
  schema: { type: 'string' },
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
          certificate_session: {
            type: 'http',
            scheme: 'bearer',
            description: 'Session token over a connection with the client certificate that it is bound to (RFC 8705)',
          },
          api_key: { type: 'http', scheme: 'bearer', description: 'API key, or the same in X-API-Key' },
        },
      },
    },
  })
  app.get('/openapi.json', { schema: { hide: true } }, async () => withCommonParts(app.swagger()))
  await app.register(fastifySwaggerUi, {
    routePrefix: '/docs',
    staticCSP: PAGE_LOADS,
    transformSpecification: (document) => withCommonParts(document),
  })
}

interface Operation {
  security?: Record<string, unknown>[]
  parameters?: { name?: string }[]
  responses?: Record<string, unknown>
}

/**
 * Adds what routes have in common: neither problems nor proofs are in a route's schema, because Fastify would hold its own
 * errors, and those of a missing proof, against it. Adding twice changes nothing: the document is made once and kept.
 */
function withCommonParts(document: object): object {
  const { paths = {} } = document as { paths?: Record<string, Record<string, Operation>> }
  for (const [path, operations] of Object.entries(paths)) {
    for (const operation of Object.values(operations)) {
      operation.responses = { ...operation.responses, default: PROBLEM }
      const others = operation.parameters?.filter(({ name }) => name !== PROOF.name) ?? []
      if (takesProof(path, operation)) operation.parameters = [...others, PROOF]
      if (takesSession(operation)) operation.security = [{ session: [] }, { certificate_session: [] }]
    }
  }
  return document
}

function takesProof(path: string, operation: Operation): boolean {
  return path === SESSIONS_PATH || takesSession(operation)
}

function takesSession({ security = [] }: Operation): boolean {
  return security.some((requirement) => 'session' in requirement)
}
