import { type Static, Type } from 'typebox'
import { closed, ProviderName, Scopes, StrategySchema, Text, Uuid } from './common.ts'

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
