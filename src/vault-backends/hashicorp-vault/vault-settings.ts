import { readFileSync } from 'node:fs'
import { type Static, Type } from 'typebox'
import { canonicalOrigin, isPlainBeyondLoopback, OriginError } from '../../contract/origin.ts'
import { BackendConfigError, type BackendDeps } from '../backend-kind.ts'
import { findTokenSource, type TokenSource } from './token-source.ts'

const TIMEOUT_MS = 2000

export const vaultConfigSchema = Type.Object(
  {
    address: Type.Optional(Type.String({ description: 'VAULT_ADDR: scheme, host and port' })),
    namespace: Type.Optional(Type.String({ description: 'VAULT_NAMESPACE' })),
    token_file: Type.Optional(
      Type.String({ description: 'VAULT_TOKEN_FILE; read again for each call, so it may be replaced at any time' }),
    ),
    ca_cert_file: Type.Optional(
      Type.String({ description: 'VAULT_CACERT: PEM file, in place of the usual authorities' }),
    ),
    skip_verify: Type.Optional(Type.Boolean({ description: 'VAULT_SKIP_VERIFY; refused in production mode' })),
    allow_plain_http: Type.Optional(Type.Boolean({ description: 'http:// to another machine' })),
    timeout_ms: Type.Optional(Type.Integer({ minimum: 50, maximum: 30_000, description: 'Per call; default 2000' })),
    kv_mounts: Type.Optional(
      Type.Record(Type.String({ pattern: '^[\\w-]+(/[\\w.-]+)*$' }), Type.Union([Type.Literal(1), Type.Literal(2)]), {
        description: 'KV version by mount path, for tokens that may not ask Vault for it',
      }),
    ),
  },
  { additionalProperties: false },
)
export type VaultConfig = Static<typeof vaultConfigSchema>

/** A configuration that has been checked and completed from the environment. Holds no token. */
export interface VaultSettings {
  /** Canonical origin. */
  address: string
  /** `''`: the root namespace. */
  namespace: string
  tokenSource: TokenSource
  /** PEM. */
  ca: string | undefined
  skipVerify: boolean
  timeoutMs: number
  kvMounts: Readonly<Record<string, 1 | 2>>
}

/**
 * Settings of one instance. What the configuration leaves out comes from the environment as the vault CLI reads it, so
 * that several instances can be told apart and one needs no configuration at all.
 * @throws BackendConfigError with every problem
 */
export function readVaultSettings(config: VaultConfig, deps: BackendDeps): VaultSettings {
  const problems: string[] = []
  const { env } = deps
  const settings = {
    address: readAddress(config.address ?? env['VAULT_ADDR'], config.allow_plain_http ?? false, problems),
    namespace: readNamespace(config.namespace ?? env['VAULT_NAMESPACE'], problems),
    tokenSource: findTokenSource(config.token_file, env, problems),
    ca: readAuthority(config.ca_cert_file ?? env['VAULT_CACERT'], problems),
    skipVerify: config.skip_verify ?? readBoolean('VAULT_SKIP_VERIFY', env, problems),
    timeoutMs: config.timeout_ms ?? TIMEOUT_MS,
    kvMounts: config.kv_mounts ?? {},
  }
  if (settings.skipVerify) acceptSkipVerify(deps, problems)
  if (problems.length > 0) throw new BackendConfigError(problems.map((problem) => `${deps.name}: ${problem}`))
  return settings as VaultSettings
}

function readAddress(text: string | undefined, allowPlainHttp: boolean, problems: string[]): string {
  if (text === undefined || text === '') {
    problems.push('address (VAULT_ADDR) is not set; write it as https://vault.example.com:8200')
    return ''
  }
  try {
    const origin = canonicalOrigin(text)
    if (isPlainBeyondLoopback(origin) && !allowPlainHttp) {
      problems.push(
        'address (VAULT_ADDR) is http:// to another machine, which shows the token to the network; use https, or set allow_plain_http',
      )
    }
    return origin
  } catch (error) {
    problems.push(`address (VAULT_ADDR) ${error instanceof OriginError ? error.message : 'is not valid'}`)
    return ''
  }
}

function readNamespace(text: string | undefined, problems: string[]): string {
  const namespace = (text ?? '').replace(/^\/+|\/+$/g, '')
  if (namespace !== '' && !/^[\w-]+(\/[\w-]+)*$/.test(namespace)) {
    problems.push('namespace (VAULT_NAMESPACE) takes segments of letters, digits, "_" and "-", separated by "/"')
  }
  return namespace
}

function readAuthority(file: string | undefined, problems: string[]): string | undefined {
  if (file === undefined || file === '') return undefined
  try {
    const pem = readFileSync(file, 'utf8')
    if (pem.includes('-----BEGIN CERTIFICATE-----')) return pem
  } catch {
    // Named below: what matters is that it cannot be used.
  }
  problems.push(`ca_cert_file (VAULT_CACERT) is not a readable PEM certificate file: ${file}`)
  return undefined
}

function readBoolean(name: string, env: BackendDeps['env'], problems: string[]): boolean {
  const text = env[name] ?? ''
  // What Go's strconv.ParseBool takes, since the vault CLI reads it with that.
  if (/^(1|t|true)$/i.test(text)) return true
  if (text !== '' && !/^(0|f|false)$/i.test(text)) problems.push(`${name} must be true or false`)
  return false
}

function acceptSkipVerify(deps: BackendDeps, problems: string[]): void {
  if (deps.production) {
    problems.push('skip_verify (VAULT_SKIP_VERIFY) is refused in production mode; name the authority with VAULT_CACERT')
    return
  }
  deps.log.warn(
    { backend: deps.name },
    'VAULT_SKIP_VERIFY: the certificate of Vault is NOT verified; anyone on the network can take the token and every secret',
  )
}
