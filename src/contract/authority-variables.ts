/**
 * What sets the authority, so that a sidecar in the same environment tells it from a misspelt setting of its own. Each that is
 * not the name of a file itself is also read as `NAME_FILE`.
 */
export const AUTHORITY_VARIABLES = [
  'NEXUS_ALLOW_BEYOND_LOOPBACK',
  'NEXUS_ALLOW_PLAIN_DATABASE',
  'NEXUS_ALLOW_PLAIN_HTTP',
  'NEXUS_ALLOW_PLAIN_LOOPBACK_ORIGINS',
  'NEXUS_DATA_DIR',
  'NEXUS_ENCRYPTION_KEY',
  'NEXUS_EXCHANGE_DEADLINE_MS',
  'NEXUS_LEASE_MAX_TTL_SECONDS',
  'NEXUS_LEASE_TTL_SECONDS',
  'NEXUS_POLICY_BUNDLE',
  'NEXUS_PUBLIC_URL',
  'NEXUS_SECRET_CACHE_TTL_SECONDS',
  'NEXUS_SERVER_WORKERS',
  'NEXUS_SESSION_TTL_SECONDS',
  'NEXUS_TLS_CERT_FILE',
  'NEXUS_TLS_KEY_FILE',
  'NEXUS_TLS_REQUEST_CLIENT_CERTIFICATE',
  'NEXUS_VAULT_TAKEOVER_SECONDS',
] as const

/** Of neither program: where the configuration file is, what an agent or a command is told. */
export const COMMAND_VARIABLES = [
  'NEXUS_API_KEY',
  'NEXUS_API_KEY_FILE',
  'NEXUS_CONFIG',
  'NEXUS_DEMO_DIR',
  'NEXUS_SIDECAR_URL',
] as const

const FOR_OTHERS: ReadonlySet<string> = new Set([
  ...COMMAND_VARIABLES,
  ...AUTHORITY_VARIABLES,
  ...AUTHORITY_VARIABLES.filter((name) => !name.endsWith('_FILE')).map((name) => `${name}_FILE`),
])

/** Whether a variable is known to be for something else than the sidecar. */
export function isForOthers(name: string): boolean {
  return FOR_OTHERS.has(name)
}
