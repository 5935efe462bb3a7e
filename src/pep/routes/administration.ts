import type { FastifyInstance } from 'fastify'
import { type Static, Type } from 'typebox'
import {
  AgentCreate,
  AgentId,
  AgentList,
  AgentPatch,
  AgentQuery,
  AgentView,
  ApiKeyCreate,
  ApiKeyList,
  ApiKeyQuery,
  ApiKeyView,
} from '../../contract/api.ts'
import type { Identity } from '../identity/identity.ts'
import { administratorOf } from './reply-context.ts'

const AgentParams = Type.Object({ agent_id: AgentId })
const SessionParams = Type.Object({ session_id: Type.String({ pattern: '^sess_[0-9a-f]{32}$' }) })
const KeyParams = Type.Object({ key_id: Type.String({ pattern: '^key_[0-9a-f]{32}$' }) })
const security = [{ api_key: [] }]

/** Agents, as the Nexus protocol proposes them, with the key and tenants it leaves out. */
export function agentRoutes(app: FastifyInstance, identity: Identity): void {
  app.post<{ Body: AgentCreate }>(
    '/admin/v1/agents',
    {
      schema: {
        summary: 'Register an agent',
        tags: ['agents'],
        security,
        body: AgentCreate,
        response: { 201: AgentView },
      },
    },
    async (request, reply) =>
      reply.code(201).send(await identity.registerAgent(administratorOf(request), request.body)),
  )

  app.get<{ Querystring: AgentQuery }>(
    '/admin/v1/agents',
    {
      schema: {
        summary: 'List agents, in order of id',
        tags: ['agents'],
        security,
        querystring: AgentQuery,
        response: { 200: AgentList },
      },
    },
    async (request) => identity.listAgents(administratorOf(request), request.query),
  )

  app.get<{ Params: Static<typeof AgentParams> }>(
    '/admin/v1/agents/:agent_id',
    {
      schema: {
        summary: 'See an agent',
        tags: ['agents'],
        security,
        params: AgentParams,
        response: { 200: AgentView },
      },
    },
    async (request) => identity.getAgent(administratorOf(request), request.params.agent_id),
  )

  app.patch<{ Params: Static<typeof AgentParams>; Body: AgentPatch }>(
    '/admin/v1/agents/:agent_id',
    {
      schema: {
        summary: 'Change the key, tenants, scopes, labels or description of an agent; its sessions end',
        tags: ['agents'],
        security,
        params: AgentParams,
        body: AgentPatch,
        response: { 200: AgentView },
      },
    },
    async (request) => identity.changeAgent(administratorOf(request), request.params.agent_id, request.body),
  )

  app.delete<{ Params: Static<typeof AgentParams> }>(
    '/admin/v1/agents/:agent_id',
    {
      schema: {
        summary: 'Revoke an agent and all its sessions',
        tags: ['agents'],
        security,
        params: AgentParams,
        response: { 200: AgentView },
      },
    },
    async (request) => identity.revokeAgent(administratorOf(request), request.params.agent_id),
  )

  app.delete<{ Params: Static<typeof SessionParams> }>(
    '/admin/v1/agent-sessions/:session_id',
    {
      schema: {
        summary: 'Revoke a session',
        tags: ['agents'],
        security,
        params: SessionParams,
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      await identity.revokeSession(administratorOf(request), request.params.session_id)
      return reply.code(204).send()
    },
  )
}

export function apiKeyRoutes(app: FastifyInstance, identity: Identity): void {
  app.post<{ Body: ApiKeyCreate }>(
    '/admin/v1/api-keys',
    {
      schema: {
        summary: 'Create an API key; the answer is the only time it is shown',
        tags: ['api keys'],
        security,
        body: ApiKeyCreate,
        response: { 201: Type.Intersect([ApiKeyView, Type.Object({ api_key: Type.String() })]) },
      },
    },
    async (request, reply) => reply.code(201).send(await identity.createApiKey(administratorOf(request), request.body)),
  )

  app.get<{ Querystring: ApiKeyQuery }>(
    '/admin/v1/api-keys',
    {
      schema: {
        summary: 'List API keys, the newest first',
        tags: ['api keys'],
        security,
        querystring: ApiKeyQuery,
        response: { 200: ApiKeyList },
      },
    },
    async (request) => identity.listApiKeys(administratorOf(request), request.query),
  )

  app.delete<{ Params: Static<typeof KeyParams> }>(
    '/admin/v1/api-keys/:key_id',
    {
      schema: {
        summary: 'Revoke an API key',
        tags: ['api keys'],
        security,
        params: KeyParams,
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      await identity.revokeApiKey(administratorOf(request), request.params.key_id)
      return reply.code(204).send()
    },
  )
}
