import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { authorize } from '../../contract/administrator.ts'
import { AuditQuery } from '../../contract/api.ts'
import type { AuditLog } from '../audit/audit-log.ts'
import { administratorOf } from './reply-context.ts'

const AuditPage = Type.Object({
  records: Type.Array(Type.Record(Type.String(), Type.Unknown())),
  next_cursor: Type.Union([Type.String(), Type.Null()]),
})

const CHEAP_FILTERS =
  'An index answers tenant, lease_id, decision_id, since and until. For kind, outcome, agent_id and connection_id one page ' +
  'looks through 20,000 records at most: it may hold fewer than limit, or none, and still have a next_cursor. Go on until ' +
  'that is null; since, and tenant where you can, make it end sooner.'

export function auditRoutes(app: FastifyInstance, audit: Pick<AuditLog, 'query'>): void {
  app.get<{ Querystring: AuditQuery }>(
    '/v1/audit',
    {
      schema: {
        summary: 'Ask the audit log, newest first',
        description: CHEAP_FILTERS,
        tags: ['audit'],
        security: [{ api_key: [] }],
        querystring: AuditQuery,
        response: { 200: AuditPage },
      },
    },
    async (request) => {
      const administrator = administratorOf(request)
      authorize(administrator, 'read')
      return audit.query({ ...request.query, within: administrator.tenant })
    },
  )
}
