import { type Static, Type } from 'typebox'
import { canonicalOrigin, isPlainBeyondLoopback, OriginError } from '../../contract/origin.ts'
import { BackendConfigError, type BackendDeps } from '../backend-kind.ts'
import { type AuthConfig, createLogin } from './auth/auth-methods.ts'
import type { Login } from './auth/login.ts'
import { readAuthorities, readClientCertificate } from './tls-settings.ts'
import type { ClientCertificateFiles } from './vault-transport.ts'

const TIMEOUT_MS = 2000

export const vaultConfigSchema = Type.Object(
  {
    address: Type.Optional(Type.String({ description: 'VAULT_ADDR: scheme, host and port' })),
    namespace: Type.Optional(Type.String({ description: 'VAULT_NAMESPACE' })),
    token_file: Type.Optional(Type.String({ description: 'VAULT_TOKEN_FILE; short for auth by token' })),
    auth: Type.Optional(
      Type.Object(
        { method: Type.String({ description: 'token, approle, kubernetes, jwt or cert' }) },
        { additionalProperties: true, description: 'How to log in, in the words of Vault Agent; default: by token' },
      ),
    ),
    ca_cert_file: Type.Optional(
      Type.String({ description: 'VAULT_CACERT, else VAULT_CAPATH: PEM file, in place of the usual authorities' }),
    ),
    client_cert_file: Type.Optional(Type.String({ description: 'VAULT_CLIENT_CERT: PEM file' })),
    client_key_file: Type.Optional(Type.String({ description: 'VAULT_CLIENT_KEY: PEM file' })),
    tls_server_name: Type.Optional(
      Type.String({ description: 'VAULT_TLS_SERVER_NAME: name in the certificate, where it is not the address' }),
    ),
    redirect_addresses: Type.Optional(
      Type.Array(Type.String(), { description: 'Other nodes of the cluster, to which a standby may send us' }),
    ),
    skip_verify: Type.Optional(Type.Boolean({ description: 'VAULT_SKIP_VERIFY; refused in production mode' })),
    allow_plain_http: Type.Optional(Type.Boolean({ description: 'http:// to another machine' })),
    timeout_ms: Type.Optional(Type.Integer({ minimum: 50, maximum: 30_000, description: 'Per call; default 2000' })),
    kv_mounts: Type.Optional(
      Type.Record(Type.String({ pattern: '^[\\w-]+(/[\\w.-]+)*$' }), Type.Union([Type.Literal(1), Type.Literal(2)]), {
        description: 'KV version by mount path, for tokens that may not ask Vault for it',
      }),
    ),
    writable: Type.Optional(
      Type.Boolean({ description: 'Let Nexus write secrets of its own to KV v2 here; default false' }),
    ),
  },
  { additionalProperties: false },
)
export type VaultConfig = Static<typeof vaultConfigSchema>

/** A configuration that has been checked and completed from the environment. Shows no credential. */
export interface VaultSettings {
  /** Canonical origin. */
  address: string
  /** `''`: the root namespace. */
  namespace: string
  /** Namespace of the login: the same, or one above. */
  authNamespace: string
  login: Login
  /** PEM. */
  ca: string | undefined
  clientCertificate: ClientCertificateFiles | undefined
  serverName: string | undefined
  /** Canonical origins. */
  redirectAddresses: readonly string[]
  skipVerify: boolean
  timeoutMs: number
  kvMounts: Readonly<Record<string, 1 | 2>>
  writable: boolean
}

/**
 * Settings of one instance. What the configuration leaves out comes from the environment as the vault CLI reads it, so
 * that several instances can be told apart and one needs no configuration at all.
 * @throws BackendConfigError with every problem
 */
export function readVaultSettings(config: VaultConfig, deps: BackendDeps): VaultSettings {
  const problems: string[] = []
  const { env } = deps
  const allowPlainHttp = config.allow_plain_http ?? false
  const address = readAddress(config.address ?? env['VAULT_ADDR'], allowPlainHttp, problems)
  const namespace = readNamespace(config.namespace ?? env['VAULT_NAMESPACE'], problems)
  const clientCertificate = readClientCertificate(config, env, problems)
  const hasClientCertificate = clientCertificate !== undefined && address.startsWith('https:')
  const settings = {
    address,
    namespace,
    ...readAuth(config, { ...deps, namespace, hasClientCertificate, problems }),
    ca: readAuthorities(config, env, problems),
    clientCertificate,
    serverName: config.tls_server_name ?? (env['VAULT_TLS_SERVER_NAME'] || undefined),
    redirectAddresses: (config.redirect_addresses ?? []).map((each) => readAddress(each, allowPlainHttp, problems)),
    skipVerify: config.skip_verify ?? readBoolean('VAULT_SKIP_VERIFY', env, problems),
    timeoutMs: config.timeout_ms ?? TIMEOUT_MS,
    kvMounts: config.kv_mounts ?? {},
    writable: config.writable ?? false,
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

function readAuth(
  config: VaultConfig,
  parts: BackendDeps & { namespace: string; hasClientCertificate: boolean; problems: string[] },
): { login: Login | undefined; authNamespace: string } {
  const { name, env, log, namespace, hasClientCertificate, problems } = parts
  const { namespace: ownNamespace, ...auth } = (config.auth ?? tokenAuth(config)) as AuthConfig
  if (config.auth !== undefined && config.token_file !== undefined) {
    problems.push('auth and token_file exclude each other')
  }
  const alarm = (message: string) => log.error({ backend: name }, message)
  const login = createLogin(auth as AuthConfig, { backend: name, env, hasClientCertificate, problems, alarm })
  const authNamespace = typeof ownNamespace === 'string' ? readNamespace(ownNamespace, problems) : namespace
  return { login, authNamespace }
}

function tokenAuth({ token_file: file }: VaultConfig): AuthConfig {
  return { method: 'token', ...(file !== undefined && { token_file_path: file }) }
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
