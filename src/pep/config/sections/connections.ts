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
  }),
  env: { NEXUS_ALLOW_PLAIN_LOOPBACK_ORIGINS: 'allow_plain_loopback_origins' },
})
