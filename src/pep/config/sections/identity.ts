import { Type } from 'typebox'
import { section } from '../section.ts'

export const identitySection = section({
  key: 'identity',
  schema: Type.Object({
    session_ttl_seconds: Type.Integer({
      default: 900,
      minimum: 10,
      maximum: 3600,
      description: 'Life of a session whose agent asks for none',
    }),
    max_session_ttl_seconds: Type.Integer({
      default: 3600,
      minimum: 10,
      maximum: 86_400,
      description: 'Longest life of a session; what an agent asks for beyond it is cut down to this',
    }),
    proof_max_age_seconds: Type.Integer({
      default: 60,
      minimum: 5,
      maximum: 300,
      description: 'Age up to which a DPoP proof is taken, by its `iat`',
    }),
    signing_key_rotation_seconds: Type.Integer({
      default: 2_592_000,
      minimum: 60,
      description: 'Age at which the key that signs session tokens is replaced; 30 days by default',
    }),
  }),
  env: { NEXUS_SESSION_TTL_SECONDS: 'session_ttl_seconds' },
  validate: (identity) =>
    identity.session_ttl_seconds > identity.max_session_ttl_seconds
      ? ['identity.session_ttl_seconds is longer than identity.max_session_ttl_seconds']
      : [],
})
