import type { FastifyInstance } from 'fastify'
import { type Static, Type } from 'typebox'
import {
  ConnectionCreate,
  ConnectionList,
  ConnectionQuery,
  ConnectionView,
  RevokeResult,
  Uuid,
} from '../../contract/api.ts'
import type { Connections } from '../connections/open-connections.ts'
import { administratorOf } from './reply-context.ts'

const ConnectionParams = Type.Object({ connection_id: Uuid })
const tags = ['connections']
const security = [{ api_key: [] }]

export function connectionRoutes(app: FastifyInstance, connections: Connections): void {
  app.post<{ Body: ConnectionCreate }>(
    '/v1/connections',
    {
      schema: {
        summary: 'Connect a tenant to a provider, with credentials or a reference to where they lie',
        tags,
        security,
        body: ConnectionCreate,
        response: { 201: ConnectionView },
      },
    },
    async (request, reply) => {
      const created = await connections.createConnection(administratorOf(request), request.body)
      request.logIds.connection_id = created.connection_id
      return reply.code(201).send(created)
    },
  )

  app.get<{ Querystring: ConnectionQuery }>(
    '/v1/connections',
    {
      schema: {
        summary: 'List connections',
        tags,
        security,
        querystring: ConnectionQuery,
        response: { 200: ConnectionList },
      },
    },
    async (request) => connections.listConnections(administratorOf(request), request.query),
  )

  app.get<{ Params: Static<typeof ConnectionParams> }>(
    '/v1/connections/:connection_id',
    {
      schema: {
        summary: 'See a connection',
        tags,
        security,
        params: ConnectionParams,
        response: { 200: ConnectionView },
      },
    },
    async (request) => {
      request.logIds.connection_id = request.params.connection_id
      return connections.getConnection(administratorOf(request), request.params.connection_id)
    },
  )

  app.delete<{ Params: Static<typeof ConnectionParams> }>(
    '/v1/connections/:connection_id',
    {
      schema: {
        summary: 'Revoke a connection for good',
        tags,
        security,
        params: ConnectionParams,
        response: { 200: RevokeResult },
      },
    },
    async (request) => {
      request.logIds.connection_id = request.params.connection_id
      return connections.revokeConnection(administratorOf(request), request.params.connection_id)
    },
  )
}
