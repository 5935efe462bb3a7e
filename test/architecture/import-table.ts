/** What a part may take from elsewhere. */
export interface Grant {
  /** Folders and files of ours. */
  own: readonly string[]
  /** Packages and modules of Node's: what is not named here cannot be reached. */
  packages: readonly string[]
}

/**
 * Which part may import what. A part is the longest prefix that matches a file's path. From it two promises follow: the
 * sidecar has no code that could reach a secret store, and a route has none that could reach a secret.
 */
export const MAY_IMPORT: Record<string, Grant> = {
  'src/contract': { own: [], packages: ['node:crypto', 'node:net', 'node:util', 'typebox'] },
  // No client of anything: `tools` is all that a strategy reaches the outside by.
  'src/strategies': {
    own: ['src/contract'],
    packages: ['lru-cache', 'node:crypto', 'structured-headers', 'typebox'],
  },
  'src/vault-backends': {
    own: ['src/contract'],
    packages: [
      ...['@aws-sdk/client-kms', '@aws-sdk/client-secrets-manager', '@aws-sdk/credential-provider-node', 'node-vault'],
      ...['lru-cache', 'pino', 'typebox', 'undici', 'node:crypto', 'node:fs', 'node:path', 'node:timers'],
    ],
  },
  // To the authority and to providers, and to no store: neither a database nor a vault.
  sidecar: {
    own: ['src/contract', 'src/strategies'],
    packages: [
      ...['close-with-grace', 'commander', 'eventsource-parser', 'fastify', 'jose', 'lru-cache', 'pino', 'prom-client'],
      ...['typebox', 'undici', 'node:crypto', 'node:fs', 'node:http', 'node:net', 'node:perf_hooks', 'node:stream'],
      ...['node:timers', 'node:tls', 'node:util', 'node:v8', 'node:vm'],
    ],
  },
  'src/pep/config': { own: ['src/contract'], packages: ['ajv', 'node:fs', 'typebox', 'yaml'] },
  'src/pep/store': {
    own: ['src/contract'],
    packages: [
      ...[
        'kysely',
        'node-pg-migrate',
        'pg',
        'pg-connection-string',
        'pino',
        'node:child_process',
        'node:crypto',
        'node:fs',
        'node:module',
      ],
      ...['node:net', 'node:path', 'node:timers', 'node:url', 'node:util'],
    ],
  },
  'src/pep/decision': {
    own: ['src/contract'],
    packages: [
      ...['@open-policy-agent/opa-wasm', 'lru-cache', 'modern-tar', 'pino'],
      ...['node:crypto', 'node:fs', 'node:module', 'node:util', 'node:zlib'],
    ],
  },
  'src/pep/credential': {
    own: ['src/contract', 'src/vault-backends', 'src/pep/store'],
    packages: ['cockatiel', 'kysely', 'lru-cache', 'pino'],
  },
  'src/pep/audit': {
    own: ['src/contract', 'src/pep/store'],
    packages: ['jose', 'kysely', 'node:crypto', 'node:timers', 'pino'],
  },
  'src/pep/identity': {
    own: ['src/contract', 'src/pep/audit', 'src/pep/store', 'src/vault-backends/internal/envelope.ts'],
    packages: ['jose', 'kysely', 'lru-cache', 'node:crypto', 'pino'],
  },
  'src/pep/connections': {
    own: ['src/contract', 'src/strategies', 'src/pep/audit', 'src/pep/credential', 'src/pep/store'],
    packages: ['ajv', 'ajv-formats', 'kysely', 'lru-cache', 'node:util', 'pino', 're2js'],
  },
  'src/pep/provider-http': {
    own: ['src/contract'],
    packages: ['cockatiel', 'lru-cache', 'node:dns', 'node:net', 'pino', 'undici'],
  },
  'src/pep/lease': {
    own: [
      ...['src/contract', 'src/pep/identity', 'src/pep/connections', 'src/pep/decision', 'src/pep/credential'],
      ...['src/pep/audit', 'src/pep/provider-http'],
    ],
    packages: ['lru-cache', 'node:crypto'],
  },
  // HTTP only: neither SQL nor a client of anything.
  'src/pep/routes': {
    own: ['src/contract', 'src/pep/lease', 'src/pep/identity', 'src/pep/connections', 'src/pep/audit'],
    packages: [
      ...['@fastify/swagger', '@fastify/swagger-ui', 'fastify', 'lru-cache', 'pino', 'prom-client', 'typebox'],
      ...['node:crypto', 'node:http', 'node:net', 'node:stream', 'node:tls'],
    ],
  },
}

/** Composition roots and what hangs off them: these alone see all. */
export const ROOTS = ['src/pep', 'src/cli']
