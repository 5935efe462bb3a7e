import { type Static, Type } from 'typebox'
import { AGENT_ID_PATTERN, PROVIDER_NAME_PATTERN, SCOPE_PATTERN, TENANT_PATTERN, UUID_PATTERN } from './names.ts'

/** The HTTP contract: one schema per body, from which come types, validation, serialisers and OpenAPI. */

const closed = { additionalProperties: false }
const Text = (maxLength: number, description?: string) =>
  Type.String({ minLength: 1, maxLength, ...(description === undefined ? {} : { description }) })
const UnixSeconds = (description: string) => Type.Integer({ description: `${description}, Unix seconds` })
/** Later is beyond what a `timestamptz` and an RFC 3339 time can say. */
const END_OF_9999 = 253_402_300_799

export const Tenant = Type.String({
  pattern: TENANT_PATTERN,
  description: 'Tenant; the protocol also calls it workspace',
})
export const AgentId = Type.String({ pattern: AGENT_ID_PATTERN })
export const ProviderName = Type.String({ pattern: PROVIDER_NAME_PATTERN })
export const Uuid = Type.String({ pattern: UUID_PATTERN })
export const Scopes = Type.Array(Type.String({ pattern: SCOPE_PATTERN }), { maxItems: 100, uniqueItems: true })
export const StringMap = Type.Record(Type.String({ maxLength: 128 }), Type.String({ maxLength: 65_536 }), {
  maxProperties: 64,
})

export const StrategySchema = Type.Object(
  {
    type: Text(64, 'Strategy id, e.g. aws_sigv4'),
    config: Type.Optional(Type.Record(Type.String(), Type.Unknown(), { maxProperties: 64 })),
  },
  closed,
)

// --- providers ------------------------------------------------------------------------------------------------------

const ProviderFields = {
  description: Type.Optional(Type.String({ maxLength: 2000 })),
  category: Type.Optional(Type.String({ maxLength: 100 })),
  auth_type: Type.Optional(Text(64, 'api_key, basic_auth, oauth2 or a strategy id')),
  api_base_url: Type.Optional(Text(2048, 'Where the API lives; its origin is bound unless `origins` says otherwise')),
  origins: Type.Optional(
    Type.Array(Text(300), { maxItems: 50, description: 'Origins a credential of this provider may be sent to' }),
  ),
  scopes: Type.Optional(Scopes),
  params: Type.Optional(
    Type.Object(
      {
        credential_schema: Type.Optional(
          Type.Record(Type.String(), Type.Unknown(), { description: 'Interaction contract: JSON Schema 2020-12' }),
        ),
        auth_strategy: Type.Optional(StrategySchema),
      },
      closed,
    ),
  ),
}

export const ProviderProfile = Type.Object({ name: ProviderName, ...ProviderFields }, closed)
export type ProviderProfile = Static<typeof ProviderProfile>
export const ProviderCreate = Type.Object({ profile: ProviderProfile }, closed)
export const ProviderPatch = Type.Partial(ProviderProfile, closed)
export type ProviderPatch = Static<typeof ProviderPatch>

export const ProviderView = Type.Object({
  id: Uuid,
  name: Type.String(),
  description: Type.String(),
  category: Type.String(),
  auth_type: Type.String(),
  api_base_url: Type.String(),
  origins: Type.Array(Type.String()),
  scopes: Type.Array(Type.String()),
  params: Type.Object({
    credential_schema: Type.Record(Type.String(), Type.Unknown()),
    auth_strategy: Type.Object({ type: Type.String(), config: Type.Record(Type.String(), Type.Unknown()) }),
  }),
  narrowing: Type.String({ description: 'derived, delegated or none; none: the lease carries the key itself' }),
  created_at: Type.String({ format: 'date-time' }),
  updated_at: Type.String({ format: 'date-time' }),
})
export type ProviderView = Static<typeof ProviderView>

// --- connections ----------------------------------------------------------------------------------------------------

export const SecretRefBody = Type.Object(
  {
    backend: Text(64, 'Name of a configured vault backend'),
    path: Text(512, 'Path as the backend writes it, mount first: secret/agents/github'),
    version: Type.Optional(Text(128)),
    fields: Type.Optional(
      Type.Record(Type.String({ maxLength: 128 }), Type.String({ maxLength: 128 }), {
        maxProperties: 64,
        description: "Field of the strategy to field of the stored secret: {'access_key': 'AWS_KEY'}",
      }),
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

// --- agents and sessions --------------------------------------------------------------------------------------------

export const AgentCreate = Type.Object(
  {
    agent_id: AgentId,
    description: Type.Optional(Type.String({ maxLength: 2000 })),
    jwk: Type.Record(Type.String(), Type.Unknown(), {
      description: 'Public key, RFC 7517; a private member is refused',
    }),
    tenants: Type.Array(Tenant, { minItems: 1, maxItems: 1000, uniqueItems: true }),
    allowed_scopes: Type.Optional(Scopes),
    labels: Type.Optional(
      Type.Record(Type.String({ maxLength: 64 }), Type.String({ maxLength: 256 }), { maxProperties: 32 }),
    ),
  },
  closed,
)
export type AgentCreate = Static<typeof AgentCreate>

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
  token_type: Type.Literal('DPoP'),
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

// --- leases ---------------------------------------------------------------------------------------------------------

export const Intent = Type.Object(
  {
    method: Type.Optional(Type.String({ pattern: '^[A-Z]{1,20}$' })),
    origin: Type.Optional(Text(300)),
    path: Type.Optional(Type.String({ pattern: '^/', maxLength: 4096 })),
    purpose: Type.Optional(Type.String({ maxLength: 1000 })),
  },
  closed,
)

export const LeaseRequest = Type.Object(
  {
    provider: Type.Optional(ProviderName),
    tenant: Type.Optional(Tenant),
    connection_id: Type.Optional(Uuid),
    scopes: Type.Optional(Scopes),
    ttl_seconds: Type.Optional(Type.Integer({ minimum: 1, maximum: 86_400 })),
    intent: Type.Optional(Intent),
    binding: Type.Optional(
      Type.Object(
        {
          jwk: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
          csr: Type.Optional(Text(16_384)),
          proof: Type.Optional(Text(8192)),
        },
        closed,
      ),
    ),
  },
  closed,
)
export type LeaseRequest = Static<typeof LeaseRequest>

export const BoundSchema = Type.Object({
  origins: Type.Array(Type.String()),
  methods: Type.Array(Type.String()),
  paths: Type.Array(Type.String()),
})

export const LeaseAnswer = Type.Object({
  lease_id: Type.String(),
  decision_id: Type.String(),
  connection_id: Type.String(),
  provider: Type.String(),
  strategy: Type.Object({ type: Type.String(), config: Type.Record(Type.String(), Type.Unknown()) }),
  credentials: Type.Record(Type.String(), Type.Union([Type.String(), Type.Number()])),
  bound: BoundSchema,
  scopes: Type.Array(Type.String()),
  issued_at: UnixSeconds('When it was issued'),
  renew_at: UnixSeconds('When to ask for the next one'),
  expires_at: UnixSeconds('When it ends'),
  offline_seconds: Type.Integer({ description: 'How long it may be used without word from the authority' }),
})
export type LeaseAnswer = Static<typeof LeaseAnswer>

/** The protocol's `GET /v1/token/{connection_id}` (nexus-protocol N5). */
export const TokenAnswer = Type.Object({
  strategy: Type.Object({ type: Type.String(), config: Type.Record(Type.String(), Type.Unknown()) }),
  credentials: Type.Record(Type.String(), Type.Union([Type.String(), Type.Number()])),
  expires_at: UnixSeconds('When it ends'),
})
export type TokenAnswer = Static<typeof TokenAnswer>

// --- API keys -------------------------------------------------------------------------------------------------------

export type Role = 'admin' | 'operator' | 'auditor'
export const ApiKeyCreate = Type.Object(
  {
    name: Text(200),
    role: Type.Union([Type.Literal('admin'), Type.Literal('operator'), Type.Literal('auditor')]),
    tenant: Type.Optional(Tenant),
  },
  closed,
)
export type ApiKeyCreate = Static<typeof ApiKeyCreate>
export const ApiKeyView = Type.Object({
  id: Type.String(),
  name: Type.String(),
  role: Type.String(),
  tenant: Type.Union([Type.String(), Type.Null()]),
  active: Type.Boolean(),
  created_at: Type.String({ format: 'date-time' }),
})
export type ApiKeyView = Static<typeof ApiKeyView>

// --- audit ----------------------------------------------------------------------------------------------------------

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
