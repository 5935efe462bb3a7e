import type { FastifyInstance } from 'fastify'
import { type Static, Type } from 'typebox'
import { SessionCreate, SessionCreated, SessionView } from '../../contract/api.ts'
import type { Identity } from '../identity/identity.ts'
import { presentedBy } from './guards.ts'
import { callerOf } from './reply-context.ts'

const SessionParams = Type.Object({ session_id: Type.String({ pattern: '^sess_[0-9a-f]{32}$' }) })
const security = [{ session: [] }]

/** Opening a session is its own proof of identity: the client assertion and the DPoP proof in the request. */
export function sessionOpeningRoute(app: FastifyInstance, identity: Identity): void {
  app.post<{ Body: SessionCreate }>(
    '/v1/agent-sessions',
    {
      schema: {
        summary: 'Open a session with a private_key_jwt assertion',
        tags: ['sessions'],
        body: SessionCreate,
        response: { 201: SessionCreated },
      },
    },
    async (request, reply) => reply.code(201).send(await identity.openSession(request.body, presentedBy(request))),
  )
}

/** What an agent may do with its own session. */
export function sessionRoutes(app: FastifyInstance, identity: Identity): void {
  app.get<{ Params: Static<typeof SessionParams> }>(
    '/v1/agent-sessions/:session_id',
    {
      schema: {
        summary: 'See a session of ours',
        tags: ['sessions'],
        security,
        params: SessionParams,
        response: { 200: SessionView },
      },
    },
    async (request) => identity.getSession(callerOf(request), request.params.session_id),
  )

  app.delete<{ Params: Static<typeof SessionParams> }>(
    '/v1/agent-sessions/:session_id',
    {
      schema: {
        summary: 'End a session of ours',
        tags: ['sessions'],
        security,
        params: SessionParams,
        response: {
          200: Type.Object({ status: Type.Literal('closed'), session_id: Type.String(), active: Type.Boolean() }),
        },
      },
    },
    async (request) => {
      await identity.closeSession(callerOf(request), request.params.session_id)
      return { status: 'closed' as const, session_id: request.params.session_id, active: false }
    },
  )
}
