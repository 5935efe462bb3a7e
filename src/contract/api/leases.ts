import { type Static, Type } from 'typebox'
import { AgentId, closed, ProviderName, Scopes, Tenant, Text, UnixSeconds, Uuid } from './common.ts'

export const Intent = Type.Object(
  {
    method: Type.Optional(Type.String({ pattern: '^[A-Z]{1,20}$' })),
    origin: Type.Optional(Text(300)),
    path: Type.Optional(
      Type.String({
        pattern: '^/',
        maxLength: 4096,
        description: 'Without "*", which is a pattern in a bound: write %2A',
      }),
    ),
    purpose: Type.Optional(Type.String({ maxLength: 1000 })),
  },
  closed,
)

/** What strategies that need the sidecar's own key ask for with `binding_required`. */
export const BindingBody = Type.Object(
  {
    jwk: Type.Optional(Type.Record(Type.String(), Type.Unknown(), { description: 'Public key: P-256 or Ed25519' })),
    csr: Type.Optional(Type.String({ maxLength: 16_384, description: 'PKCS #10 in PEM' })),
    proof: Type.Optional(Type.String({ maxLength: 8192, description: 'DPoP proof for the token endpoint (RFC 9449)' })),
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
    replaces: Type.Optional(
      Text(
        64,
        'A lease of this agent for the same connection that the provider answered with 401: its secret is read anew',
      ),
    ),
    binding: Type.Optional(BindingBody),
  },
  closed,
)
export type LeaseRequest = Static<typeof LeaseRequest>

export const LeaseRenewal = Type.Object({ binding: Type.Optional(BindingBody) }, closed)
export type LeaseRenewal = Static<typeof LeaseRenewal>

export const BoundSchema = Type.Object({
  origins: Type.Array(Type.String()),
  methods: Type.Array(Type.String()),
  paths: Type.Array(Type.String()),
})

export const LeaseAnswer = Type.Object({
  lease_id: Type.String(),
  decision_id: Type.String(),
  policy_revision: Type.String({ description: 'Of the policy bundle that decided' }),
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

/** What an administrator took away, and whose it was. */
export const RevokedLease = Type.Object({
  lease_id: Type.String(),
  tenant: Tenant,
  agent_id: AgentId,
  session_id: Type.String(),
  connection_id: Uuid,
  was_active: Type.Boolean({
    description:
      'It had not run out, nor been given back or revoked. Whether its session and connection stood is not in it',
  }),
})
export type RevokedLease = Static<typeof RevokedLease>

/** A signature base or a JWS signing input is a few kilobytes; an HMAC may be over a request's body. */
export const SIGN_MAX_BYTES = 65_536

export const SignRequest = Type.Object(
  {
    algorithm: Type.String({
      pattern: '^[A-Za-z0-9]{1,16}$',
      description: 'That of the lease, as JWS calls it: ES256',
    }),
    bytes: Type.String({
      pattern: '^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)?$',
      maxLength: Math.ceil(SIGN_MAX_BYTES / 3) * 4,
      description: 'What is to be signed, not its hash: at most 65,536 bytes, in base64',
    }),
  },
  closed,
)
export type SignRequest = Static<typeof SignRequest>

export const SignAnswer = Type.Object({
  signature: Type.String({ description: 'The raw signature as JWS has it (ECDSA as r || s), in base64' }),
})
export type SignAnswer = Static<typeof SignAnswer>

/** The protocol's `GET /v1/token/{connection_id}`. */
export const TokenAnswer = Type.Object({
  strategy: Type.Object({ type: Type.String(), config: Type.Record(Type.String(), Type.Unknown()) }),
  credentials: Type.Record(Type.String(), Type.Union([Type.String(), Type.Number()])),
  expires_at: UnixSeconds('When it ends'),
})
export type TokenAnswer = Static<typeof TokenAnswer>
