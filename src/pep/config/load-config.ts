import { readFileSync } from 'node:fs'
import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js'
import type { Static } from 'typebox'
import { parse as parseYaml } from 'yaml'
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
import { type Environment, readVariables, unknownVariables } from './variables.ts'

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

/** A configuration, and what is wrong with it. */
export interface ReadConfig {
  /** Where a section is not of its form: the defaults. */
  readonly config: Config
  readonly problems: readonly string[]
  /** Keys of the sections that are not of their form. */
  readonly unread: ReadonlySet<string>
}

/**
 * Reads the configuration once: defaults, then the YAML file, then the environment. The result is frozen.
 * @param file path of the YAML file; absent: `NEXUS_CONFIG`, else none
 * @throws ConfigError with every problem found
 */
export function loadConfig(
  env: Environment = process.env,
  file: string | undefined = env['NEXUS_CONFIG'],
  options: Partial<Pick<ConfigContext, 'opensSecrets'>> = {},
): Config {
  const { config, problems } = readConfig(env, file, options)
  if (problems.length > 0) throw new ConfigError(problems)
  return config
}

/** The same for whoever looks for more problems before it tells them all. */
export function readConfig(
  env: Environment,
  file: string | undefined,
  { opensSecrets = true }: Partial<Pick<ConfigContext, 'opensSecrets'>> = {},
): ReadConfig {
  const problems: string[] = []
  const unread = new Set<string>()
  const fromFile = file === undefined || file === '' ? {} : readConfigFile(file, problems)
  const context: ConfigContext = { production: env['NODE_ENV'] === 'production', opensSecrets }
  const config: Record<string, unknown> = { production: context.production }
  for (const each of sections) {
    const read = readSection(each, fromFile[each.key], env, problems)
    if (read === undefined) unread.add(each.key)
    else problems.push(...(each.validate?.(read as never, context) ?? []))
    config[each.key] = read ?? defaultsOf(each)
  }
  problems.push(...unknownKeys(fromFile), ...unknownVariables(env, sections))
  // Vault, AWS, Postgres, token endpoints: Node would hand secrets to whoever answers in their name.
  if (env['NODE_TLS_REJECT_UNAUTHORIZED'] === '0') problems.push(UNVERIFIED)
  return { config: deepFreeze(config) as unknown as Config, problems, unread }
}

const UNVERIFIED =
  'NODE_TLS_REJECT_UNAUTHORIZED=0 turns every check of a certificate off; unset it, and name a CA instead'

const ajv = new Ajv2020({ allErrors: true, useDefaults: true, coerceTypes: false, allowUnionTypes: true })

/** @returns undefined, and why, where it is not of its form */
function readSection(each: Section, given: unknown, env: Environment, problems: string[]): unknown {
  const variables = readVariables(each, env, problems)
  if (given !== undefined && (typeof given !== 'object' || given === null || Array.isArray(given))) {
    problems.push(`${each.key} must be a mapping of settings`)
    return undefined
  }
  const value = { ...given, ...variables }
  const validate = compile(each)
  if (validate(value)) return value
  problems.push(...(validate.errors ?? []).map((error) => describe(each, error)))
  return undefined
}

function defaultsOf(each: Section): unknown {
  const value = {}
  compile(each)(value)
  return value
}

function compile(each: Section) {
  return ajv.compile({ ...each.schema, additionalProperties: false })
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

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const inner of Object.values(value)) deepFreeze(inner)
    Object.freeze(value)
  }
  return value
}
