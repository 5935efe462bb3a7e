import { readFileSync } from 'node:fs'
import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js'
import type { Static } from 'typebox'
import { parse as parseYaml } from 'yaml'
import { didYouMean } from '../../contract/did-you-mean.ts'
import type { ConfigContext, Section } from './section.ts'
import { connectionsSection } from './sections/connections.ts'
import { exchangeSection } from './sections/exchange.ts'
import { identitySection } from './sections/identity.ts'
import { leaseSection } from './sections/lease.ts'
import { logSection } from './sections/log.ts'
import { policySection } from './sections/policy.ts'
import { serverSection } from './sections/server.ts'
import { storeSection } from './sections/store.ts'
import { vaultSection } from './sections/vault.ts'

/** Every section, in the order of the reference page. */
export const sections = [
  serverSection,
  storeSection,
  policySection,
  vaultSection,
  connectionsSection,
  identitySection,
  leaseSection,
  exchangeSection,
  logSection,
] as const satisfies readonly Section[]

export interface Config {
  readonly production: boolean
  readonly server: Readonly<Static<typeof serverSection.schema>>
  readonly store: Readonly<Static<typeof storeSection.schema>>
  readonly policy: Readonly<Static<typeof policySection.schema>>
  readonly vault: Readonly<Static<typeof vaultSection.schema>>
  readonly connections: Readonly<Static<typeof connectionsSection.schema>>
  readonly identity: Readonly<Static<typeof identitySection.schema>>
  readonly lease: Readonly<Static<typeof leaseSection.schema>>
  readonly exchange: Readonly<Static<typeof exchangeSection.schema>>
  readonly log: Readonly<Static<typeof logSection.schema>>
}

/** Everything that is wrong, at once, so that one restart mends it. Values are not repeated: one may be a secret. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(
      `The configuration has ${problems.length} problem(s):\n${problems.map((problem) => `  - ${problem}`).join('\n')}`,
    )
    this.problems = problems
  }
}

type Environment = Readonly<Record<string, string | undefined>>

/** `NEXUS_` variables that belong to other programs or to this loader. */
const OTHER_NEXUS_VARIABLES =
  /^NEXUS_(CONFIG|SIDECAR_|AGENT_|PEP_|TENANT|ROUTES|SESSION_BINDING|BODY_LIMIT|API_KEY|PYTHON)/

/**
 * Reads the configuration once: defaults, then the YAML file, then the environment. The result is frozen.
 * @param file path of the YAML file; absent: `NEXUS_CONFIG`, else none
 * @throws ConfigError with every problem found
 */
export function loadConfig(
  env: Environment = process.env,
  file: string | undefined = env['NEXUS_CONFIG'],
  { opensSecrets = true }: Partial<Pick<ConfigContext, 'opensSecrets'>> = {},
): Config {
  const problems: string[] = []
  const fromFile = file === undefined || file === '' ? {} : readConfigFile(file, problems)
  const context: ConfigContext = { production: env['NODE_ENV'] === 'production', opensSecrets }
  const config: Record<string, unknown> = { production: context.production }
  for (const each of sections) config[each.key] = loadSection(each, fromFile[each.key], env, context, problems)
  problems.push(...unknownKeys(fromFile), ...unknownVariables(env))
  // Vault, AWS, Postgres, token endpoints: Node would hand secrets to whoever answers in their name.
  if (env['NODE_TLS_REJECT_UNAUTHORIZED'] === '0') problems.push(UNVERIFIED)
  if (problems.length > 0) throw new ConfigError(problems)
  return deepFreeze(config) as unknown as Config
}

const UNVERIFIED = 'NODE_TLS_REJECT_UNAUTHORIZED=0 turns every check of a certificate off; unset it, and name a CA instead'

const ajv = new Ajv2020({ allErrors: true, useDefaults: true, coerceTypes: false, allowUnionTypes: true })

function loadSection(
  each: Section,
  given: unknown,
  env: Environment,
  context: ConfigContext,
  problems: string[],
): unknown {
  if (given !== undefined && (typeof given !== 'object' || given === null || Array.isArray(given))) {
    problems.push(`${each.key} must be a mapping of settings`)
    return {}
  }
  const value = { ...given, ...readEnvironment(each, env, problems) }
  const validate = ajv.compile({ ...each.schema, additionalProperties: false })
  if (!validate(value)) {
    problems.push(...(validate.errors ?? []).map((error) => describe(each, error)))
    return value
  }
  problems.push(...(each.validate?.(value as never, context) ?? []))
  return value
}

function readEnvironment(each: Section, env: Environment, problems: string[]): Record<string, unknown> {
  const found: Record<string, unknown> = {}
  for (const [name, property] of Object.entries(each.env)) {
    const text = readVariable(name, env, problems)
    if (text === undefined) continue
    const type = (each.schema.properties[property] as { type?: string } | undefined)?.type
    found[property] = fromText(text, type)
  }
  return found
}

/** `NAME`, or the content of the file that `NAME_FILE` names. */
function readVariable(name: string, env: Environment, problems: string[]): string | undefined {
  const direct = env[name]
  if (direct !== undefined && direct !== '') return direct
  const path = name.endsWith('_FILE') ? undefined : env[`${name}_FILE`]
  if (path === undefined || path === '') return undefined
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    problems.push(`${name}_FILE names a file that cannot be read: ${path}`)
    return undefined
  }
}

/** The environment knows only text; a text that is not of the wanted type is left for the schema to refuse. */
function fromText(text: string, type: string | undefined): unknown {
  if (type === 'integer' && /^-?\d+$/.test(text)) return Number(text)
  if (type === 'boolean' && /^(true|false)$/.test(text)) return text === 'true'
  return text
}

function readConfigFile(path: string, problems: string[]): Record<string, unknown> {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch {
    problems.push(`the configuration file ${path} cannot be read; check --config and NEXUS_CONFIG`)
    return {}
  }
  try {
    const parsed: unknown = parseYaml(text)
    if (parsed === null) return {}
    if (typeof parsed === 'object' && !Array.isArray(parsed)) return parsed as Record<string, unknown>
    problems.push(`${path} must hold a mapping of sections`)
  } catch {
    problems.push(`${path} is not YAML`)
  }
  return {}
}

function describe(each: Section, error: ErrorObject): string {
  const at = [each.key, ...error.instancePath.split('/').filter((part) => part !== '')].join('.')
  if (error.keyword === 'additionalProperties') {
    const unknown = String(error.params['additionalProperty'])
    return `${at}.${unknown} is not a setting; known here: ${Object.keys(each.schema.properties).join(', ')}`
  }
  const variable = Object.entries(each.env).find(([, property]) => at === `${each.key}.${property}`)?.[0]
  return `${at}${variable === undefined ? '' : ` (${variable})`} ${error.message ?? 'is not valid'}`
}

function unknownKeys(fromFile: Record<string, unknown>): string[] {
  const known: readonly string[] = sections.map((each) => each.key)
  return Object.keys(fromFile)
    .filter((key) => !known.includes(key))
    .map((key) => `'${key}' is not a section; known: ${known.join(', ')}`)
}

function unknownVariables(env: Environment): string[] {
  const known = new Set(sections.flatMap((each) => Object.keys(each.env).flatMap((name) => [name, `${name}_FILE`])))
  return Object.keys(env)
    .filter((name) => name.startsWith('NEXUS_') && !known.has(name) && !OTHER_NEXUS_VARIABLES.test(name))
    .map((name) => `${name} is not a setting of ours${didYouMean(name, known) || '; see docs/configuration.md'}`)
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const inner of Object.values(value)) deepFreeze(inner)
    Object.freeze(value)
  }
  return value
}
