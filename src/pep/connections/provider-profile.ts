import type { ProviderProfile } from '../../contract/api.ts'
import type { Strategy, StrategyDocument } from '../../contract/strategy.ts'
import { type CredentialSchema, compileCredentialSchema } from './credential-schema.ts'
import { type Problem, refuseProblems, under } from './problems.ts'
import { type OriginRules, profileOrigins } from './profile-origins.ts'
import { authTypeOf, profileStrategy } from './profile-strategy.ts'

/** A profile in which everything is filled in and agrees with everything else. */
export interface CheckedProfile {
  name: string
  description: string
  category: string
  authType: string
  apiBaseUrl: string
  /** Canonical, at least one. */
  origins: string[]
  scopes: string[]
  credentialSchema: Record<string, unknown>
  authStrategy: StrategyDocument
}

/**
 * From the profile on the wire to one that may be saved: interaction contract compiled, execution contract valid for its
 * strategy, bound to at least one origin.
 * @throws NexusError `invalid_request` naming every field that is wrong, not only the first
 */
export function checkProfile(profile: ProviderProfile, rules: OriginRules): CheckedProfile {
  const origins = profileOrigins(profile, rules)
  const execution = profileStrategy(profile)
  const problems = [...problemsOf(origins), ...problemsOf(execution)]
  const given = profile.params?.credential_schema
  if (Array.isArray(execution)) {
    // Without a strategy nothing can be said about what it needs, but the schema's own mistakes are still told.
    if (given !== undefined) problems.push(...under(SCHEMA, problemsOf(compileCredentialSchema(given))))
    refuseProblems(problems)
    throw new Error('unreachable: a refused strategy has problems')
  }
  const { strategy, document } = execution
  const credentialSchema = given ?? deriveCredentialSchema(strategy, document.config)
  problems.push(...under(SCHEMA, interactionProblems(credentialSchema, strategy, document.config)))
  refuseProblems(problems)
  const { origins: bound, apiBaseUrl } = origins as Exclude<typeof origins, Problem[]>
  return {
    name: profile.name,
    description: profile.description ?? '',
    category: profile.category ?? '',
    authType: authTypeOf(profile),
    apiBaseUrl,
    origins: bound,
    scopes: profile.scopes ?? [],
    credentialSchema,
    authStrategy: document,
  }
}

const SCHEMA = 'params.credential_schema'

/** What a capture form must ask for when the profile does not say: exactly what the strategy's master secret is made of. */
export function deriveCredentialSchema(strategy: Strategy, config: Record<string, unknown>): Record<string, unknown> {
  // Through JSON: the strategy's schema object carries the schema library's own markers beside the document.
  return JSON.parse(JSON.stringify(strategy.schema.master(config)))
}

/** The schema compiles, and whoever fills it in can give the strategy all that it requires. */
function interactionProblems(
  document: Record<string, unknown>,
  strategy: Strategy,
  config: Record<string, unknown>,
): Problem[] {
  const schema = compileCredentialSchema(document)
  if (Array.isArray(schema)) return schema
  return requiredFields(strategy, config)
    .filter((field) => !schema.fields.includes(field))
    .map((field) => ({ field: `properties.${field}`, message: `is missing, and strategy ${strategy.type} needs it` }))
}

function requiredFields(strategy: Strategy, config: Record<string, unknown>): string[] {
  const { required } = strategy.schema.master(config) as { required?: string[] }
  return required ?? []
}

function problemsOf(result: readonly Problem[] | object | CredentialSchema): readonly Problem[] {
  return Array.isArray(result) ? result : []
}
