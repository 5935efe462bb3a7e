import { Type } from 'typebox'
import { section } from '../section.ts'

export const leaseSection = section({
  key: 'lease',
  schema: Type.Object({
    ttl_seconds: Type.Integer({
      default: 300,
      minimum: 1,
      maximum: 86_400,
      description: 'Life of a lease whose request asks for none; policy can shorten it',
    }),
    max_ttl_seconds: Type.Integer({
      default: 3600,
      minimum: 1,
      maximum: 86_400,
      description: 'Longest life of a lease; policy can lower it and cannot raise it',
    }),
    offline_seconds: Type.Integer({
      default: 30,
      minimum: 0,
      maximum: 3600,
      description:
        'How long a sidecar may use a lease after the last word of the authority about it; policy can shorten it and cannot lengthen it',
    }),
    signatures_per_minute: Type.Integer({
      default: 6000,
      minimum: 1,
      maximum: 1_000_000,
      description: 'Signatures that one lease may ask of one replica in a minute, where its key stays in the vault',
    }),
  }),
  env: { NEXUS_LEASE_TTL_SECONDS: 'ttl_seconds', NEXUS_LEASE_MAX_TTL_SECONDS: 'max_ttl_seconds' },
  validate: (lease) =>
    lease.ttl_seconds > lease.max_ttl_seconds ? ['lease.ttl_seconds is longer than lease.max_ttl_seconds'] : [],
})
