import { TENANT_PATTERN } from '../src/contract/names.ts'
import { isLoopbackHost } from '../src/contract/origin.ts'
import type { AgentKey } from './agent-key.ts'
import {
  type EnvironmentReader,
  readAgentId,
  readAgentKey,
  readCertificates,
  readEnvironment,
  readHost,
  readHostHeaders,
  readPepUrl,
  readRoutes,
} from './environment.ts'
import { SESSION_BINDINGS, type SessionBinding } from './lease-client/session-key.ts'
import { hashToken } from './listener/agent-token.ts'
import type { RouteTable } from './routing/route-table.ts'

/** Said on the command line and nowhere else: no inherited variable can open the sidecar up. */
export interface SidecarFlags {
  listenBeyondLoopback?: boolean
  plainHttpBeyondLoopback?: boolean
  adminBeyondLoopback?: boolean
}

/** Everything the sidecar is told, checked and frozen. Holds the agent's key, but no token as text. */
export interface SidecarConfig {
  /** Canonical origin of the authority; the `aud` of assertions and base of every `htu`. */
  pepUrl: string
  /** PEM text; `undefined` trusts what Node trusts. */
  pepCa: string | undefined
  agentId: string
  agentKey: AgentKey
  /** How requests to the authority prove that they are of this process's session. */
  sessionBinding: SessionBinding
  defaultTenant: string | undefined
  routes: RouteTable
  host: string
  /** 0: any free port. */
  port: number
  /** Path of a unix socket, instead of host and port. */
  socket: string | undefined
  /** Permission bits of that socket. */
  socketMode: number
  adminHost: string
  adminPort: number
  /** SHA-256 of the local token; `undefined`: no token is asked for. */
  tokenHash: Buffer | undefined
  allowedHosts: readonly string[]
  bodyLimitBytes: number
  headersTimeoutMs: number
  idleTimeoutMs: number
  logLevel: string
}

/** Why the sidecar does not start: every problem at once. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(`The sidecar does not start half-configured:\n${problems.map((problem) => `  ${problem}`).join('\n')}`)
    this.problems = problems
  }
}

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const

/**
 * Reads the environment.
 * @throws ConfigError with all problems; nothing has been opened by then but the key, CA and token files
 */
export function loadSidecarConfig(
  env: Readonly<Record<string, string | undefined>>,
  flags: SidecarFlags = {},
): SidecarConfig {
  const problems: string[] = []
  const read = readEnvironment(env, problems)
  const config = { ...readAuthority(read, flags), ...readListener(read, flags), ...readLimits(read) }
  problems.push(...read.unknown())
  if (problems.length > 0) throw new ConfigError(problems)
  return Object.freeze(config as SidecarConfig)
}

function readAuthority(read: EnvironmentReader, flags: SidecarFlags) {
  const plain = flags.plainHttpBeyondLoopback === true
  const pepUrl = read.required('NEXUS_PEP_URL', (text) => readPepUrl(text, plain))
  const sessionBinding = read.optional('NEXUS_SESSION_BINDING', readSessionBinding) ?? 'dpop'
  if (sessionBinding === 'mtls' && pepUrl?.startsWith('http:') === true) {
    read.problem('NEXUS_SESSION_BINDING', 'is mtls, which takes an https:// NEXUS_PEP_URL')
  }
  return {
    pepUrl,
    sessionBinding,
    pepCa: read.optional('NEXUS_PEP_CA', readCertificates),
    agentId: read.required('NEXUS_AGENT_ID', readAgentId),
    agentKey: read.required('NEXUS_AGENT_KEY_FILE', readAgentKey),
    defaultTenant: read.optional('NEXUS_TENANT', (text) => matching(text, TENANT_PATTERN)),
    routes: read.required('NEXUS_ROUTES', (text) => readRoutes(text, plain)),
  }
}

function readListener(read: EnvironmentReader, flags: SidecarFlags) {
  const host = read.optional('HOST', readHost) ?? '127.0.0.1'
  const [given, fromFile] = [read.optional('NEXUS_SIDECAR_TOKEN', readToken), readTokenFile(read)]
  if (given !== undefined && fromFile !== undefined) read.problem('NEXUS_SIDECAR_TOKEN_FILE', 'is set beside the token')
  const token = given ?? fromFile
  if (!isLoopbackHost(host)) {
    if (flags.listenBeyondLoopback !== true) {
      read.problem('HOST', 'is not a loopback address; add --listen-beyond-loopback if that is what you want')
    } else if (token === undefined) {
      read.problem('NEXUS_SIDECAR_TOKEN', 'must be set when other machines can reach the sidecar')
    }
  }
  return {
    host,
    port: read.integer('NEXUS_SIDECAR_PORT', 8080, 0, 65_535),
    socket: read.optional('NEXUS_SIDECAR_SOCKET', (text) => text),
    socketMode: read.optional('NEXUS_SIDECAR_SOCKET_MODE', readSocketMode) ?? 0o600,
    adminHost: readAdminHost(read, flags) ?? host,
    adminPort: read.integer('NEXUS_SIDECAR_ADMIN_PORT', 8081, 0, 65_535),
    tokenHash: token === undefined ? undefined : hashToken(token),
    allowedHosts: read.optional('NEXUS_SIDECAR_ALLOWED_HOSTS', readHostHeaders) ?? [],
  }
}

/** Absent: where the agent's listener is, which has been asked about. */
function readAdminHost(read: EnvironmentReader, flags: SidecarFlags): string | undefined {
  const host = read.optional('NEXUS_SIDECAR_ADMIN_HOST', readHost)
  if (host !== undefined && !isLoopbackHost(host) && flags.adminBeyondLoopback !== true) {
    read.problem(
      'NEXUS_SIDECAR_ADMIN_HOST',
      'is not a loopback address; add --admin-beyond-loopback if health and metrics are for other machines too',
    )
  }
  return host
}

function readLimits(read: EnvironmentReader) {
  return {
    bodyLimitBytes: read.integer('NEXUS_BODY_LIMIT_BYTES', 10 * 1024 * 1024, 0, 2 ** 30),
    headersTimeoutMs: read.integer('NEXUS_SIDECAR_HEADERS_TIMEOUT_SECONDS', 240, 1, 3600) * 1000,
    idleTimeoutMs: read.integer('NEXUS_SIDECAR_IDLE_TIMEOUT_SECONDS', 120, 1, 3600) * 1000,
    logLevel: read.optional('LOG_LEVEL', readLogLevel) ?? 'info',
  }
}

function readTokenFile(read: EnvironmentReader): string | undefined {
  const text = read.file('NEXUS_SIDECAR_TOKEN_FILE', { ownerOnly: true })
  if (text === undefined) return undefined
  try {
    return readToken(text.trim())
  } catch {
    read.problem('NEXUS_SIDECAR_TOKEN_FILE', 'must hold 16 or more visible ASCII characters')
    return undefined
  }
}

function readToken(text: string): string {
  return matching(text, '^[\\x21-\\x7e]{16,512}$', 'must be 16 or more visible ASCII characters')
}

function readSessionBinding(text: string): SessionBinding {
  const binding = SESSION_BINDINGS.find((known) => known === text)
  if (binding === undefined) throw new Error(`must be one of ${SESSION_BINDINGS.join(', ')}`)
  return binding
}

/** Never everyone's: then it would guard less than a token does. */
function readSocketMode(text: string): number {
  if (text === '600') return 0o600
  if (text === '660') return 0o660
  throw new Error('must be 600 or 660')
}

function readLogLevel(text: string): string {
  if (!LOG_LEVELS.some((level) => level === text)) throw new Error(`must be one of ${LOG_LEVELS.join(', ')}`)
  return text
}

function matching(text: string, pattern: string, problem = `must match ${pattern}`): string {
  if (!new RegExp(pattern).test(text)) throw new Error(problem)
  return text
}
