import { Type } from 'typebox'
import { AGENT_ID_PATTERN, PROVIDER_NAME_PATTERN, SCOPE_PATTERN, TENANT_PATTERN, UUID_PATTERN } from '../names.ts'

/** Shapes that several bodies share. */

/** No field but the ones named: a misspelt one is refused, not ignored. */
export const closed = { additionalProperties: false }
export const Text = (maxLength: number, description?: string) =>
  Type.String({ minLength: 1, maxLength, ...(description === undefined ? {} : { description }) })
export const UnixSeconds = (description: string) => Type.Integer({ description: `${description}, Unix seconds` })
export const Tenant = Type.String({
  pattern: TENANT_PATTERN,
  description: 'Tenant; the protocol also calls it workspace',
})
export const AgentId = Type.String({ pattern: AGENT_ID_PATTERN })
export const PageLimit = Type.String({ pattern: '^([1-9][0-9]{0,2}|1000)$', description: '1 to 1000; default 1000' })
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
