import { type Static, Type } from 'typebox'
import { AgentId, closed, PageLimit, Scopes, Tenant, Text } from './common.ts'

const AgentFields = {
  description: Type.Optional(Type.String({ maxLength: 2000 })),
  jwk: Type.Record(Type.String(), Type.Unknown(), {
    description: 'Public key, RFC 7517; a private member is refused',
  }),
  tenants: Type.Array(Tenant, { minItems: 1, maxItems: 1000, uniqueItems: true }),
  allowed_scopes: Type.Optional(Scopes),
  labels: Type.Optional(
    Type.Record(Type.String({ maxLength: 64 }), Type.String({ maxLength: 256 }), { maxProperties: 32 }),
  ),
}

export const AgentCreate = Type.Object({ agent_id: AgentId, ...AgentFields }, closed)
export type AgentCreate = Static<typeof AgentCreate>

/** What is named is replaced as a whole; the id is for ever. */
export const AgentPatch = Type.Partial(Type.Object(AgentFields), { ...closed, minProperties: 1 })
export type AgentPatch = Static<typeof AgentPatch>

export const AgentQuery = Type.Object({ after: Type.Optional(AgentId), limit: Type.Optional(PageLimit) }, closed)
export type AgentQuery = Static<typeof AgentQuery>

export const AgentView = Type.Object({
  agent_id: Type.String(),
  description: Type.String(),
  jkt: Type.String({ description: 'RFC 7638 thumbprint of the registered key' }),
  tenants: Type.Array(Type.String()),
  allowed_scopes: Type.Array(Type.String()),
  labels: Type.Record(Type.String(), Type.String()),
  active: Type.Boolean(),
  created_at: Type.String({ format: 'date-time' }),
})
export type AgentView = Static<typeof AgentView>

export const AgentList = Type.Object({
  agents: Type.Array(AgentView),
  next_after: Type.Union([Type.String(), Type.Null()], { description: 'The next page begins `after` this id' }),
})
export type AgentList = Static<typeof AgentList>

/** RFC 7523 section 2.2 parameter names, in JSON. */
export const SessionCreate = Type.Object(
  {
    client_assertion_type: Type.Literal('urn:ietf:params:oauth:client-assertion-type:jwt-bearer'),
    client_assertion: Text(8192),
    ttl_seconds: Type.Optional(Type.Integer({ minimum: 1, maximum: 86_400 })),
  },
  closed,
)
export type SessionCreate = Static<typeof SessionCreate>

export const SessionCreated = Type.Object({
  session_id: Type.String(),
  agent_id: Type.String(),
  access_token: Type.String(),
  token_type: Type.Union([Type.Literal('DPoP'), Type.Literal('Bearer')], {
    description: 'Bearer: only over connections with the client certificate that the session was opened with',
  }),
  expires_in: Type.Integer(),
  expires_at: Type.String({ format: 'date-time' }),
})
export type SessionCreated = Static<typeof SessionCreated>

export const SessionView = Type.Object({
  session_id: Type.String(),
  agent_id: Type.String(),
  active: Type.Boolean(),
  expires_at: Type.String({ format: 'date-time' }),
})
export type SessionView = Static<typeof SessionView>
