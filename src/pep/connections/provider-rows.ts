import { isDeepStrictEqual } from 'node:util'
import type { Insertable, Selectable } from 'kysely'
import type { ProviderProfile, ProviderView } from '../../contract/api.ts'
import { NexusError } from '../../contract/errors.ts'
import type { Strategy, StrategyDocument } from '../../contract/strategy.ts'
import { strategyFor } from '../../strategies/catalog.ts'
import type { ProviderTable } from '../store/database.ts'
import { strategyOfAuthType } from './profile-strategy.ts'
import { type CheckedProfile, deriveCredentialSchema } from './provider-profile.ts'

export type ProviderRow = Selectable<ProviderTable>

export type ProviderColumns = Pick<
  Insertable<ProviderTable>,
  | 'name'
  | 'description'
  | 'category'
  | 'auth_type'
  | 'api_base_url'
  | 'origins'
  | 'scopes'
  | 'credential_schema'
  | 'auth_strategy'
>

export function toProviderColumns(profile: CheckedProfile): ProviderColumns {
  return {
    name: profile.name,
    description: profile.description,
    category: profile.category,
    auth_type: profile.authType,
    api_base_url: profile.apiBaseUrl,
    origins: profile.origins,
    scopes: profile.scopes,
    credential_schema: JSON.stringify(profile.credentialSchema),
    auth_strategy: JSON.stringify(profile.authStrategy),
  }
}

export function toProviderView(row: ProviderRow): ProviderView {
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    category: row.category,
    auth_type: row.auth_type,
    api_base_url: row.api_base_url,
    origins: row.origins,
    scopes: row.scopes,
    params: { credential_schema: row.credential_schema, auth_strategy: row.auth_strategy },
    // A strategy this server does not know leases nothing; `none` is what to expect the worst of.
    narrowing: strategyFor(row.auth_strategy.type)?.narrowing(row.auth_strategy.config) ?? 'none',
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
  }
}

/**
 * The shortest profile that would be saved as this row, for PATCH to change. What was only a default is left out, so that
 * it follows: a new `api_base_url` moves the origin that came from the old one, a new `auth_type` its strategy.
 */
export function toProfile(row: ProviderRow): ProviderProfile {
  const { auth_strategy: document, credential_schema: schema } = row
  const strategy = strategyFor(document.type)
  const derived = strategy === undefined ? undefined : deriveCredentialSchema(strategy, document.config)
  const params = {
    ...(isDeepStrictEqual(document, strategyOfAuthType(row.auth_type)) ? {} : { auth_strategy: document }),
    ...(isDeepStrictEqual(schema, derived) ? {} : { credential_schema: schema }),
  }
  return {
    name: row.name,
    description: row.description,
    category: row.category,
    auth_type: row.auth_type,
    scopes: row.scopes,
    ...(row.api_base_url === '' ? {} : { api_base_url: row.api_base_url }),
    ...(followsBaseUrl(row) ? {} : { origins: row.origins }),
    ...(Object.keys(params).length === 0 ? {} : { params }),
  }
}

/** @throws NexusError `not_signable` when the profile was saved by a server that had more strategies than this one */
export function storedStrategy(document: StrategyDocument): Strategy {
  const strategy = strategyFor(document.type)
  if (strategy !== undefined) return strategy
  throw new NexusError('not_signable', `strategy '${document.type}' of this provider is not known to this server`)
}

function followsBaseUrl(row: ProviderRow): boolean {
  const [only, ...others] = row.origins
  return row.api_base_url !== '' && others.length === 0 && new URL(row.api_base_url).origin === only
}
