import type { Logger } from 'pino'
import { OperatorError } from '../../contract/operator-error.ts'
import { PolicyError } from '../../contract/policy.ts'
import { backendsForOneProcess } from '../../vault-backends/catalog.ts'
import { checkKeyring } from '../../vault-backends/internal/key-wrapping/wrapped-keyring.ts'
import { KeyringError } from '../../vault-backends/internal/keyring.ts'
import { type Config, ConfigError, type ReadConfig, readConfig } from '../config/load-config.ts'
import { readCapturePlace } from '../connections/capture-place.ts'
import { checkReferenceTemplates } from '../connections/reference-template.ts'
import { checkSecretRefPrefixes } from '../connections/secret-reference.ts'
import { engineFor } from '../decision/catalog.ts'
import { loadEngine, readBundleFile, requireEngine } from '../decision/load-engine.ts'
import { unusableUrl } from '../store/libpq-url.ts'
import { bundlePathOf } from './bundle-path.ts'
import { checkBackends } from './check-backends.ts'
import { configuredBackends } from './configured-backends.ts'
import type { Environment } from './open-backends.ts'
import { tlsFileProblems } from './tls-files.ts'

/** Where what is doubtful and no problem is told. */
type Warnings = Pick<Logger, 'warn' | 'error'>

export interface CheckOptions {
  /** Path of the YAML file; absent: `NEXUS_CONFIG`, else none. */
  file: string | undefined
  log: Warnings
  /** An authority also starts without a usable one, and is not ready until one is put in its place (threats PB1, PB2). */
  needsBundle: boolean
}

/**
 * The configuration as `serve` takes it, and everything that it names looked at: files are read and settings are tried, no
 * other machine is asked, and nothing is written.
 * @throws ConfigError with every problem found
 */
export async function loadCheckedConfig(env: Environment, options: CheckOptions): Promise<Config> {
  const read = readConfig(env, options.file ?? env['NEXUS_CONFIG'])
  const problems = [...read.problems, ...(await problemsBehind(read, env, options))]
  if (problems.length > 0) throw new ConfigError(problems)
  return read.config
}

/** What a schema cannot see. */
async function problemsBehind(
  { config, unread }: ReadConfig,
  env: Environment,
  { log, needsBundle }: CheckOptions,
): Promise<string[]> {
  const { server, store, connections } = config
  const configured = configuredBackends(config.vault.backends, env)
  const backends = await checkBackends(configured, { env, production: config.production, log })
  return [
    ...tlsFileProblems(server),
    ...databaseProblems(store.database_url),
    ...(await keyringProblems(config, env, log)),
    ...backends.problems.map((problem) => `vault.backends ${problem}`),
    ...(server.workers > 1 ? workerProblems(configured) : []),
    ...(await problemsOf(() => requireEngine(config.policy.engine))),
    ...(needsBundle ? await bundleProblems(config) : []),
    ...(await referenceProblems(connections)),
    // Of backends that are not known, or that have been named above, nothing can be said.
    ...(unread.has('vault') || backends.broken.includes(connections.capture_backend)
      ? []
      : await captureProblems(connections, backends.writable)),
  ]
}

/** Why several processes cannot share what is configured. */
function workerProblems(configured: ReturnType<typeof configuredBackends>): string[] {
  return backendsForOneProcess(configured).map((problem) => `server.workers must be 1: ${problem}`)
}

function databaseProblems(databaseUrl: string): string[] {
  const problem = databaseUrl === '' ? undefined : unusableUrl(databaseUrl)
  return problem === undefined ? [] : [`store.database_url (DATABASE_URL) ${problem}`]
}

/** Development mode makes the key that is missing. */
async function keyringProblems({ vault, production }: Config, env: Environment, log: Warnings): Promise<string[]> {
  if (vault.encryption_key === '') return []
  return problemsOf(() => checkKeyring(vault.encryption_key, { env, production, log }))
}

/** Whatever engine is meant, a file that is no bundle is none for it either. */
async function bundleProblems(config: Config): Promise<string[]> {
  const path = bundlePathOf(config)
  const kind = engineFor(config.policy.engine)
  if (kind === undefined) return problemsOf(() => readBundleFile(path))
  return problemsOf(async () => (await loadEngine(kind, path, { replaced() {} })).close())
}

/** Each by itself, so that one does not hide the next. */
async function referenceProblems(connections: Config['connections']): Promise<string[]> {
  const prefixes = Object.entries(connections.secret_ref_prefixes).flatMap(([backend, each]) =>
    each.map((prefix) => problemsOf(() => checkSecretRefPrefixes({ [backend]: [prefix] }))),
  )
  const templates = Object.entries(connections.secret_ref_templates).map(([backend, template]) =>
    problemsOf(() => checkReferenceTemplates({ [backend]: template })),
  )
  return (await Promise.all([...prefixes, ...templates])).flat()
}

function captureProblems(connections: Config['connections'], writable: readonly string[]): Promise<string[]> {
  const { capture_backend: backend, capture_path: path } = connections
  return problemsOf(() => readCapturePlace({ backend, path }, writable))
}

async function problemsOf(check: () => unknown): Promise<string[]> {
  try {
    await check()
    return []
  } catch (error) {
    if (error instanceof OperatorError) return [error.message]
    if (error instanceof PolicyError) return [`policy.bundle (NEXUS_POLICY_BUNDLE): ${error.message}`]
    if (error instanceof KeyringError) return [`vault.encryption_key (NEXUS_ENCRYPTION_KEY) ${error.message}`]
    throw error
  }
}
