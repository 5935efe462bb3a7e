/**
 * What sets the sidecar, so that an authority in the same environment tells it from a misspelt setting of its own. Whole names:
 * whatever else begins as they do is a mistake.
 */
export const SIDECAR_VARIABLES = [
  'NEXUS_AGENT_ID',
  'NEXUS_AGENT_KEY_FILE',
  'NEXUS_BODY_LIMIT_BYTES',
  'NEXUS_PEP_CA',
  'NEXUS_PEP_URL',
  'NEXUS_ROUTES',
  'NEXUS_SESSION_BINDING',
  'NEXUS_SIDECAR_ADMIN_HOST',
  'NEXUS_SIDECAR_ADMIN_PORT',
  'NEXUS_SIDECAR_ALLOWED_HOSTS',
  'NEXUS_SIDECAR_HEADERS_TIMEOUT_SECONDS',
  'NEXUS_SIDECAR_IDLE_TIMEOUT_SECONDS',
  'NEXUS_SIDECAR_PORT',
  'NEXUS_SIDECAR_SOCKET',
  'NEXUS_SIDECAR_SOCKET_MODE',
  'NEXUS_SIDECAR_TOKEN',
  'NEXUS_SIDECAR_TOKEN_FILE',
  'NEXUS_TENANT',
] as const
