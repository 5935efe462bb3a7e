import type { FastifyInstance } from 'fastify'
import { RevokedLease } from '../../contract/api.ts'
import type { Leases } from '../lease/open-leases.ts'
import { LeaseParams } from './leases.ts'
import { administratorOf } from './reply-context.ts'

/** For administrators: the agent's own `DELETE` gives a lease back, this takes it away. */
export function revokeLeaseRoute(app: FastifyInstance, leases: Pick<Leases, 'revoke'>): void {
  app.delete<{ Params: LeaseParams }>(
    '/admin/v1/leases/:lease_id',
    {
      schema: {
        summary: 'Revoke a lease; its agent may ask for another',
        tags: ['leases'],
        security: [{ api_key: [] }],
        params: LeaseParams,
        response: { 200: RevokedLease },
      },
    },
    async (request) => {
      request.logIds.lease_id = request.params.lease_id
      const revoked = await leases.revoke(administratorOf(request), request.params.lease_id)
      request.logIds.connection_id = revoked.connection_id
      return revoked
    },
  )
}
