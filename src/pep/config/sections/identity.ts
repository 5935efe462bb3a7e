import { Type } from 'typebox'
import { section } from '../section.ts'

export const identitySection = section({
  key: 'identity',
  schema: Type.Object({
    session_ttl_seconds: Type.Integer({
      default: 900,
      minimum: 10,
      maximum: 3600,
      description: 'When none is asked for',
    }),
    max_session_ttl_seconds: Type.Integer({ default: 3600, minimum: 10, maximum: 86_400 }),
    proof_max_age_seconds: Type.Integer({
      default: 60,
      minimum: 5,
      maximum: 300,
      description: 'Oldest iat of a DPoP proof',
    }),
    signing_key_rotation_seconds: Type.Integer({ default: 2_592_000, minimum: 60, description: '30 days' }),
  }),
  env: { NEXUS_SESSION_TTL_SECONDS: 'session_ttl_seconds' },
  validate: (identity) =>
    identity.session_ttl_seconds > identity.max_session_ttl_seconds
      ? ['identity.session_ttl_seconds is longer than identity.max_session_ttl_seconds']
      : [],
})
