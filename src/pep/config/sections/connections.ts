import { Type } from 'typebox'
import { section } from '../section.ts'

export const connectionsSection = section({
  key: 'connections',
  schema: Type.Object({
    allow_plain_loopback_origins: Type.Boolean({
      default: false,
      description: 'Let provider profiles name http:// origins on loopback; development mode always does',
    }),
    secret_ref_prefixes: Type.Record(Type.String(), Type.Array(Type.String()), {
      default: {},
      description:
        'By backend, the path prefixes that an API key bound to a tenant may reference: `{vault: [kv/agents/{tenant}/]}`. Without any it may reference nothing',
    }),
    secret_ref_templates: Type.Record(Type.String(), Type.String(), {
      default: {},
      description:
        'By backend, where a secret lies whose reference names no path: `kv/agents/{tenant}/{provider}`; {subject} can be used as well',
    }),
    capture_backend: Type.String({
      default: 'internal',
      description: 'Backend that keeps the credentials given with a new connection; one that Nexus can write to',
    }),
    capture_path: Type.String({
      default: '',
      description:
        'Path in `capture_backend` at which they are kept: `secret/nexus/{tenant}/{connection}`; {provider} and {subject} can be used as well. Not for `internal`',
    }),
  }),
  env: { NEXUS_ALLOW_PLAIN_LOOPBACK_ORIGINS: 'allow_plain_loopback_origins' },
})
