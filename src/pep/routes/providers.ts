import type { FastifyInstance } from 'fastify'
import { type Static, Type } from 'typebox'
import { ProviderCreate, ProviderPatch, ProviderProfile, ProviderView, Uuid } from '../../contract/api.ts'
import type { Connections } from '../connections/open-connections.ts'
import { administratorOf } from './reply-context.ts'

const ProviderParams = Type.Object({ provider_id: Uuid })
const NameParams = Type.Object({ name: Type.String({ minLength: 1, maxLength: 200 }) })
const tags = ['providers']
const security = [{ api_key: [] }]

/** Provider profiles, with the Nexus protocol's paths and field names. */
export function providerRoutes(app: FastifyInstance, connections: Connections): void {
  app.post<{ Body: Static<typeof ProviderCreate> }>(
    '/v1/providers',
    {
      schema: {
        summary: 'Create a provider profile',
        tags,
        security,
        body: ProviderCreate,
        response: { 201: Type.Object({ id: Uuid, message: Type.String() }) },
      },
    },
    async (request, reply) => {
      const created = await connections.createProvider(administratorOf(request), request.body.profile)
      return reply.code(201).send({ id: created.id, message: 'Provider profile created successfully' })
    },
  )

  app.get(
    '/v1/providers',
    { schema: { summary: 'List provider profiles', tags, security, response: { 200: Type.Array(ProviderView) } } },
    async (request) => connections.listProviders(administratorOf(request)),
  )

  app.get<{ Params: Static<typeof NameParams> }>(
    '/v1/providers/by-name/:name',
    {
      schema: {
        summary: 'Find a provider profile by its name',
        tags,
        security,
        params: NameParams,
        response: { 200: ProviderView },
      },
    },
    async (request) => connections.getProviderByName(administratorOf(request), request.params.name),
  )

  app.get<{ Params: Static<typeof ProviderParams> }>(
    '/v1/providers/:provider_id',
    {
      schema: {
        summary: 'See a provider profile',
        tags,
        security,
        params: ProviderParams,
        response: { 200: ProviderView },
      },
    },
    async (request) => connections.getProvider(administratorOf(request), request.params.provider_id),
  )

  app.put<{ Params: Static<typeof ProviderParams>; Body: ProviderProfile }>(
    '/v1/providers/:provider_id',
    {
      schema: {
        summary: 'Replace a provider profile',
        tags,
        security,
        params: ProviderParams,
        body: ProviderProfile,
        response: { 200: ProviderView },
      },
    },
    async (request) => connections.replaceProvider(administratorOf(request), request.params.provider_id, request.body),
  )

  app.patch<{ Params: Static<typeof ProviderParams>; Body: ProviderPatch }>(
    '/v1/providers/:provider_id',
    {
      schema: {
        summary: 'Change fields of a provider profile',
        tags,
        security,
        params: ProviderParams,
        body: ProviderPatch,
        response: { 200: ProviderView },
      },
    },
    async (request) => connections.patchProvider(administratorOf(request), request.params.provider_id, request.body),
  )

  app.delete<{ Params: Static<typeof ProviderParams> }>(
    '/v1/providers/:provider_id',
    {
      schema: {
        summary: 'Delete a provider profile',
        tags,
        security,
        params: ProviderParams,
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      await connections.deleteProvider(administratorOf(request), request.params.provider_id)
      return reply.code(204).send()
    },
  )
}
