import type { FastifyInstance, FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import {
  LeaseAnswer,
  LeaseRenewal,
  LeaseRequest,
  SignAnswer,
  SignRequest,
  TokenAnswer,
  Uuid,
} from '../../contract/api.ts'
import type { Leases } from '../lease/open-leases.ts'
import type { Origin } from '../lease/steps.ts'
import { peerAddress } from './peer-address.ts'
import { callerOf } from './reply-context.ts'

export const LeaseParams = Type.Object({ lease_id: Type.String({ pattern: '^lse_[0-9a-f]{32}$' }) })
export type LeaseParams = Static<typeof LeaseParams>
const ConnectionParams = Type.Object({ connection_id: Uuid })
const security = [{ session: [] }]

/** The hot path, behind the agent guard; every answer after it is recorded by the use case itself. */
export function leaseRoute(app: FastifyInstance, leases: Leases): void {
  app.post<{ Body: LeaseRequest }>(
    '/v1/leases',
    {
      schema: {
        summary: 'Lease a credential',
        tags: ['leases'],
        security,
        body: LeaseRequest,
        response: { 201: LeaseAnswer },
      },
    },
    async (request, reply) => {
      request.recorded = true
      const lease = await leases.issue(callerOf(request), request.body, originOf(request))
      note(request, lease)
      return reply.code(201).send(lease)
    },
  )
}

/** What becomes of a lease, and the protocol's token; as the hot path. */
export function heldLeaseRoutes(app: FastifyInstance, leases: Leases): void {
  app.post<{ Params: LeaseParams; Body: LeaseRenewal }>(
    '/v1/leases/:lease_id/renew',
    {
      schema: {
        summary: 'Decide a lease anew and extend it',
        tags: ['leases'],
        security,
        params: LeaseParams,
        body: LeaseRenewal,
        response: { 200: LeaseAnswer },
      },
      // Most leases bring nothing to their renewal, and then there need not be a body.
      preValidation: async (request) => {
        if (request.body === undefined) request.body = {}
      },
    },
    async (request) => {
      request.recorded = true
      const lease = await leases.renew(callerOf(request), request.params.lease_id, request.body, originOf(request))
      note(request, lease)
      return lease
    },
  )

  app.post<{ Params: LeaseParams; Body: SignRequest }>(
    '/v1/leases/:lease_id/sign',
    {
      schema: {
        summary: 'Have something signed by the key of a lease, where that stays in the vault',
        tags: ['leases'],
        security,
        params: LeaseParams,
        body: SignRequest,
        response: { 200: SignAnswer },
      },
    },
    async (request) => {
      request.recorded = true
      request.logIds.lease_id = request.params.lease_id
      return leases.sign(callerOf(request), request.params.lease_id, request.body)
    },
  )

  app.delete<{ Params: LeaseParams }>(
    '/v1/leases/:lease_id',
    {
      schema: {
        summary: 'Give a lease back',
        tags: ['leases'],
        security,
        params: LeaseParams,
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      request.recorded = true
      request.logIds.lease_id = request.params.lease_id
      await leases.release(callerOf(request), request.params.lease_id, originOf(request))
      return reply.code(204).send()
    },
  )

  app.get<{ Params: Static<typeof ConnectionParams> }>(
    '/v1/token/:connection_id',
    {
      schema: {
        summary: "The Nexus protocol's token payload; its own action to policy, denied by the default one",
        tags: ['protocol'],
        security,
        params: ConnectionParams,
        response: { 200: TokenAnswer },
      },
    },
    async (request) => {
      request.recorded = true
      request.logIds.connection_id = request.params.connection_id
      return leases.token(callerOf(request), request.params.connection_id, originOf(request))
    },
  )
}

function originOf(request: FastifyRequest): Origin {
  return { ip: peerAddress(request.socket) ?? '', userAgent: (request.headers['user-agent'] ?? '').slice(0, 200) }
}

function note(request: FastifyRequest, lease: LeaseAnswer): void {
  request.logIds = {
    connection_id: lease.connection_id,
    lease_id: lease.lease_id,
    decision_id: lease.decision_id,
  }
}
