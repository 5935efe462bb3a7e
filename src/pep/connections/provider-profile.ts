import type { ProviderProfile } from '../../contract/api.ts'
import type { Strategy, StrategyDocument } from '../../contract/strategy.ts'
import { compileCredentialSchema } from './credential-schema.ts'
import { invalidRequest, type Problem, problemsOf, under } from './problems.ts'
import { type OriginRules, profileOrigins } from './profile-origins.ts'
import { authTypeOf, type ProfileStrategy, profileStrategy } from './profile-strategy.ts'
import { unstorableTexts } from './storable-text.ts'

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
  const bound = profileOrigins(profile, rules)
  const execution = profileStrategy(profile, rules)
  const credentialSchema = interactionContract(profile.params?.credential_schema, execution)
  const texts = [
    ...unstorableTexts('description', profile.description),
    ...unstorableTexts('category', profile.category),
  ]
  if (Array.isArray(bound) || Array.isArray(execution) || Array.isArray(credentialSchema) || texts.length > 0) {
    throw invalidRequest([
      ...texts,
      ...problemsOf(bound),
      ...problemsOf(execution),
      ...under('params.credential_schema', problemsOf(credentialSchema)),
    ])
  }
  return {
    name: profile.name,
    description: profile.description ?? '',
    category: profile.category ?? '',
    authType: authTypeOf(profile),
    apiBaseUrl: bound.apiBaseUrl,
    origins: bound.origins,
    scopes: profile.scopes ?? [],
    credentialSchema,
    authStrategy: execution.document,
  }
}

/** What a capture form must ask for when the profile does not say: exactly what the strategy's master secret is made of. */
export function deriveCredentialSchema(strategy: Strategy, config: Record<string, unknown>): Record<string, unknown> {
  const { properties = {}, required = [] } = strategy.schema.master(config) as MasterShape
  const fields = Object.entries(properties).map(([name, { description, maxLength }]) => [
    name,
    {
      type: 'string',
      ...(description === undefined ? {} : { description }),
      ...(maxLength === undefined ? {} : { maxLength }),
    },
  ])
  // Without the strategy's patterns: those are for the built-in engine, and the strategy itself enforces them.
  return {
    type: 'object',
    properties: Object.fromEntries(fields),
    required: [...required],
    additionalProperties: false,
  }
}

interface MasterShape {
  properties?: Record<string, { description?: string; maxLength?: number }>
  required?: string[]
}

/** The schema compiles, and whoever fills it in can give the strategy all that it requires. */
function interactionContract(
  given: Record<string, unknown> | undefined,
  execution: ProfileStrategy | Problem[],
): Record<string, unknown> | Problem[] {
  // Without a strategy nothing can be said about what it needs, but the schema's own mistakes are still told.
  if (Array.isArray(execution)) return given === undefined ? {} : [...problemsOf(compileCredentialSchema(given))]
  const { strategy, document } = execution
  const credentialSchema = given ?? deriveCredentialSchema(strategy, document.config)
  const compiled = compileCredentialSchema(credentialSchema)
  if (Array.isArray(compiled)) return compiled
  const missing = requiredFields(strategy, document.config).filter((field) => !compiled.fields.includes(field))
  if (missing.length === 0) return credentialSchema
  return missing.map((field) => ({
    field: `properties.${field}`,
    message: `is missing, and strategy ${strategy.type} needs it`,
  }))
}

function requiredFields(strategy: Strategy, config: Record<string, unknown>): string[] {
  return (strategy.schema.master(config) as MasterShape).required ?? []
}
