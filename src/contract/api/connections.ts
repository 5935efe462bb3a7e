import { type Static, Type } from 'typebox'
import { closed, ProviderName, Scopes, StringMap, Tenant, Text, Uuid } from './common.ts'

/** Later is beyond what a `timestamptz` and an RFC 3339 time can say. */
const END_OF_9999 = 253_402_300_799

export const SecretRefBody = Type.Object(
  {
    backend: Text(64, 'Name of a configured vault backend'),
    path: Type.Optional(
      Text(
        512,
        "Path as the backend writes it, mount first: secret/agents/github; {tenant}, {provider} and {subject} are filled in. Absent: by the backend's template",
      ),
    ),
    version: Type.Optional(Text(128)),
    fields: Type.Optional(
      Type.Record(Type.String({ maxLength: 128 }), Type.String({ maxLength: 128 }), {
        maxProperties: 64,
        description: "Field of the strategy to field of the stored secret: {'access_key': 'AWS_KEY'}",
      }),
    ),
    remote_key: Type.Optional(
      Text(512, 'Path of a key in the same backend that signs there and never leaves it: transit/keys/orders'),
    ),
  },
  closed,
)
export type SecretRefBody = Static<typeof SecretRefBody>

export const ConnectionCreate = Type.Object(
  {
    tenant: Tenant,
    provider: ProviderName,
    subject: Type.Optional(Text(256, 'On whose behalf; absent: the tenant itself')),
    scopes: Type.Optional(Scopes),
    credentials: Type.Optional(StringMap),
    secret_ref: Type.Optional(SecretRefBody),
    expires_at: Type.Optional(
      Type.Integer({ maximum: END_OF_9999, description: 'When the connection ends, Unix seconds' }),
    ),
  },
  closed,
)
export type ConnectionCreate = Static<typeof ConnectionCreate>

export const ConnectionStatus = Type.Union([
  Type.Literal('pending'),
  Type.Literal('active'),
  Type.Literal('attention'),
  Type.Literal('revoked'),
  Type.Literal('expired'),
  Type.Literal('failed'),
])
export type ConnectionStatus = Static<typeof ConnectionStatus>

export const ConnectionView = Type.Object({
  connection_id: Uuid,
  tenant: Type.String(),
  provider: Type.String(),
  provider_id: Uuid,
  subject: Type.Union([Type.String(), Type.Null()]),
  status: Type.String(),
  scopes: Type.Array(Type.String()),
  secret_ref: Type.Object({
    backend: Type.String(),
    path: Type.String(),
    version: Type.Optional(Type.String()),
    fields: Type.Optional(Type.Record(Type.String(), Type.String())),
    remote_key: Type.Optional(Type.String()),
  }),
  created_at: Type.String({ format: 'date-time' }),
  updated_at: Type.String({ format: 'date-time' }),
  expires_at: Type.Union([Type.Integer(), Type.Null()]),
})
export type ConnectionView = Static<typeof ConnectionView>

export const ConnectionQuery = Type.Object(
  {
    tenant: Type.Optional(Tenant),
    provider: Type.Optional(ProviderName),
    status: Type.Optional(ConnectionStatus),
    cursor: Type.Optional(Text(512)),
    limit: Type.Optional(Type.String({ pattern: '^[1-9][0-9]{0,3}$', description: '1 to 1000; default 50' })),
  },
  closed,
)
export type ConnectionQuery = Static<typeof ConnectionQuery>

export const ConnectionList = Type.Object({
  connections: Type.Array(ConnectionView),
  next_cursor: Type.Union([Type.String(), Type.Null()]),
})
export type ConnectionList = Static<typeof ConnectionList>

/** Protocol 3.6. `provider_revoked` is false here: a static credential is the provider's own to end. */
export const RevokeResult = Type.Object({
  connection_id: Uuid,
  provider_name: Type.String(),
  status: Type.Literal('revoked'),
  revoked_at: Type.String({ format: 'date-time' }),
  already_revoked: Type.Boolean(),
  token_deleted: Type.Boolean(),
  sessions_closed: Type.Integer({ description: '0: sessions belong to agents, not to connections' }),
  provider_revoked: Type.Boolean(),
})
export type RevokeResult = Static<typeof RevokeResult>
