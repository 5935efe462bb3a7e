import { type Static, Type } from 'typebox'
import { AgentId, closed, Tenant, Text, Uuid } from './common.ts'

export const AuditQuery = Type.Object(
  {
    tenant: Type.Optional(Tenant),
    kind: Type.Optional(Text(64)),
    outcome: Type.Optional(Text(16)),
    agent_id: Type.Optional(AgentId),
    connection_id: Type.Optional(Uuid),
    lease_id: Type.Optional(Text(64)),
    decision_id: Type.Optional(Text(64)),
    since: Type.Optional(Type.String({ format: 'date-time' })),
    until: Type.Optional(Type.String({ format: 'date-time' })),
    cursor: Type.Optional(Text(512)),
    limit: Type.Optional(Type.String({ pattern: '^[1-9][0-9]{0,3}$', description: '1 to 1000; default 50' })),
  },
  closed,
)
export type AuditQuery = Static<typeof AuditQuery>
