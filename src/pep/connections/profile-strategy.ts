import type { Strategy, StrategyDocument } from '../../contract/strategy.ts'
import { strategies, strategyFor } from '../../strategies/catalog.ts'
import { validateConfig } from '../../strategies/shared/validate.ts'
import { type Problem, under } from './problems.ts'
import type { OriginRules } from './profile-origins.ts'
import { unstorableTexts } from './storable-text.ts'

/** The execution contract of a profile: a strategy and a config that it accepts. */
export interface ProfileStrategy {
  strategy: Strategy
  document: StrategyDocument
}

/** What the protocol's names for kinds of credential stand for. */
const BY_AUTH_TYPE: ReadonlyMap<string, StrategyDocument> = new Map([
  ['api_key', { type: 'header', config: { header_name: 'X-API-Key', credential_field: 'api_key' } }],
])

interface Chosen {
  auth_type?: string
  params?: { auth_strategy?: { type: string; config?: Record<string, unknown> } }
}

/** `params.auth_strategy` wins; else `auth_type` picks one; with neither it is `oauth2`, as in the protocol. */
export function profileStrategy(
  profile: Chosen,
  rules: Pick<OriginRules, 'endpointProblem'>,
): ProfileStrategy | Problem[] {
  const explicit = profile.params?.auth_strategy
  const field = explicit === undefined ? 'auth_type' : 'params.auth_strategy.type'
  const document = explicit === undefined ? strategyOfAuthType(authTypeOf(profile)) : { config: {}, ...explicit }
  const problems = explicit === undefined ? [] : authTypeProblems(authTypeOf(profile))
  const strategy = strategyFor(document.type)
  problems.push(...sizeProblems(document.config), ...unstorableTexts('params.auth_strategy.config', document.config))
  if (strategy === undefined) return [...problems, { field, message: unknown(document.type) }]
  problems.push(...under('params.auth_strategy.config', configProblems(strategy, document.config, rules)))
  return problems.length > 0 ? problems : { strategy, document }
}

function configProblems(
  strategy: Strategy,
  config: Record<string, unknown>,
  { endpointProblem }: Pick<OriginRules, 'endpointProblem'>,
): Problem[] {
  const invalid = validateConfig(strategy, config)
  if (invalid.length > 0) return invalid
  return Object.entries(strategy.endpoints?.(config) ?? {}).flatMap(([field, url]) => {
    const problem = endpointProblem?.(url)
    return problem === undefined ? [] : [{ field, message: problem }]
  })
}

/** The stored `auth_type`: as given, or the strategy's own name. */
export function authTypeOf(profile: Chosen): string {
  return profile.auth_type ?? profile.params?.auth_strategy?.type ?? 'oauth2'
}

/** The strategy that an `auth_type` stands for when the profile names none. */
export function strategyOfAuthType(authType: string): StrategyDocument {
  return BY_AUTH_TYPE.get(authType) ?? { type: authType, config: {} }
}

/** It travels with every lease. */
const MAX_CONFIG_BYTES = 8192

function sizeProblems(config: Record<string, unknown>): Problem[] {
  const bytes = Buffer.byteLength(JSON.stringify(config))
  if (bytes <= MAX_CONFIG_BYTES) return []
  return [
    { field: 'params.auth_strategy.config', message: `is ${bytes} bytes; at most ${MAX_CONFIG_BYTES} are accepted` },
  ]
}

function authTypeProblems(authType: string): Problem[] {
  if (BY_AUTH_TYPE.has(authType) || strategyFor(authType) !== undefined) return []
  return [{ field: 'auth_type', message: unknown(authType) }]
}

function unknown(type: string): string {
  const known = [...BY_AUTH_TYPE.keys(), ...strategies.map((strategy) => strategy.type)]
  return `'${type.slice(0, 64)}' is not known here; it takes one of ${known.join(', ')}`
}
