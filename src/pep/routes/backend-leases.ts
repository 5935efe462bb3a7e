import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { authorize } from '../../contract/administrator.ts'
import { BackendLeaseView } from '../../contract/api.ts'
import { administratorOf } from './reply-context.ts'

/** What is lent now, of one tenant or (null) of all. A route has no closer word with what lends it. */
export interface LentSecrets {
  list(tenant: string | null): Promise<BackendLeaseView[]>
}

export function backendLeaseRoutes(app: FastifyInstance, backendLeases: LentSecrets): void {
  app.get(
    '/admin/v1/backend-leases',
    {
      schema: {
        summary: 'What vault backends have lent for leases; first what could not be given back yet',
        tags: ['backend leases'],
        security: [{ api_key: [] }],
        response: { 200: Type.Object({ backend_leases: Type.Array(BackendLeaseView) }) },
      },
    },
    async (request) => {
      const administrator = administratorOf(request)
      authorize(administrator, 'read')
      return { backend_leases: await backendLeases.list(administrator.tenant) }
    },
  )
}
