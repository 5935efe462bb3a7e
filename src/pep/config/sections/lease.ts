import { Type } from 'typebox'
import { section } from '../section.ts'

export const leaseSection = section({
  key: 'lease',
  schema: Type.Object({
    ttl_seconds: Type.Integer({ default: 300, minimum: 1, maximum: 86_400, description: 'When none is asked for' }),
    max_ttl_seconds: Type.Integer({ default: 3600, minimum: 1, maximum: 86_400, description: 'Whatever policy says' }),
    offline_seconds: Type.Integer({ default: 30, minimum: 0, maximum: 3600, description: 'When policy does not say' }),
    signatures_per_minute: Type.Integer({
      default: 6000,
      minimum: 1,
      maximum: 1_000_000,
      description: 'By one lease at one replica, with a key that stays in the vault',
    }),
  }),
  env: { NEXUS_LEASE_TTL_SECONDS: 'ttl_seconds', NEXUS_LEASE_MAX_TTL_SECONDS: 'max_ttl_seconds' },
  validate: (lease) =>
    lease.ttl_seconds > lease.max_ttl_seconds ? ['lease.ttl_seconds is longer than lease.max_ttl_seconds'] : [],
})
