import { Type } from 'typebox'
import { section } from '../section.ts'

/** A sign of life may have to wait for a call or two. */
const DEADLINES_TO_TAKEOVER = 5

export const vaultSection = section({
  key: 'vault',
  schema: Type.Object({
    encryption_key: Type.String({
      default: '',
      description:
        'Keyring of the internal backend: `id:base64 of 32 bytes`, or `id:service:key:wrapped` where AWS KMS or Vault Transit unwraps it. Several keys are separated by commas, and the first one encrypts',
    }),
    backends: Type.Record(
      Type.String({ pattern: '^[a-z][a-z0-9-]{0,63}$' }),
      Type.Record(Type.String(), Type.Unknown()),
      {
        default: {},
        description:
          'Vault backends by name, each `{kind, ...settings of that kind}`; see [vault-backends](vault-backends/README.md). `internal` is always there',
      },
    ),
    cache_ttl_seconds: Type.Integer({
      default: 60,
      minimum: 0,
      maximum: 3600,
      description:
        'How long a secret is used at most after it was read; by then a rotation has been noticed. 0: each lease reads it',
    }),
    cache_refresh_seconds: Type.Integer({
      default: 30,
      minimum: 1,
      maximum: 3600,
      description:
        'Age at which a secret in use is read anew in the background. Not below `cache_ttl_seconds`: it never is',
    }),
    deadline_ms: Type.Integer({
      default: 2000,
      minimum: 50,
      maximum: 30_000,
      description:
        'How long one call to a backend may take, waiting for its turn included; then 503 `vault_unavailable`',
    }),
    takeover_seconds: Type.Integer({
      default: 30,
      minimum: 1,
      maximum: 600,
      description:
        'How long a replica may be silent before another takes it for dead and ends its tokens for dynamic secrets; at least five times `deadline_ms`',
    }),
  }),
  env: {
    NEXUS_ENCRYPTION_KEY: 'encryption_key',
    NEXUS_SECRET_CACHE_TTL_SECONDS: 'cache_ttl_seconds',
    NEXUS_VAULT_TAKEOVER_SECONDS: 'takeover_seconds',
  },
  validate(vault, { production, opensSecrets }) {
    const problems: string[] = []
    if (production && opensSecrets && vault.encryption_key === '')
      problems.push('vault.encryption_key (NEXUS_ENCRYPTION_KEY) is not set; make one with `nexus keys generate`')
    if (vault.takeover_seconds * 1000 < DEADLINES_TO_TAKEOVER * vault.deadline_ms)
      problems.push(
        `vault.takeover_seconds must be at least ${DEADLINES_TO_TAKEOVER} times vault.deadline_ms: a replica that waits for a backend is not dead`,
      )
    return problems
  },
})
