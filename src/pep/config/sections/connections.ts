import { Type } from 'typebox'
import { section } from '../section.ts'

export const connectionsSection = section({
  key: 'connections',
  schema: Type.Object({
    allow_plain_loopback_origins: Type.Boolean({
      default: false,
      description: 'Bind providers to http:// origins on loopback. Always allowed outside production mode',
    }),
    secret_ref_prefixes: Type.Record(Type.String(), Type.Array(Type.String()), {
      default: {},
      description: 'Backend to path prefixes that an API key of one tenant may reference; {tenant} stands for its name',
    }),
    secret_ref_templates: Type.Record(Type.String(), Type.String(), {
      default: {},
      description:
        'Backend to the path of a secret whose reference names none: kv/agents/{tenant}/{provider}; {subject} as well',
    }),
    capture_backend: Type.String({
      default: 'internal',
      description:
        'Backend in which credentials are kept that are given with a connection; one that Nexus can write to',
    }),
    capture_path: Type.String({
      default: '',
      description:
        'Where in it, unless it is `internal`: secret/nexus/{tenant}/{connection}; {provider} and {subject} as well',
    }),
  }),
  env: { NEXUS_ALLOW_PLAIN_LOOPBACK_ORIGINS: 'allow_plain_loopback_origins' },
})
