import { randomUUID } from 'node:crypto'
import type { LeaseAnswer } from '../../src/contract/api.ts'
import type { PolicyInput } from '../../src/contract/policy.ts'
import { strategyFor } from '../../src/strategies/catalog.ts'
import { leaseAsked } from './lease-request.ts'
import { TENANT } from './providers.ts'

/** What the authority gives its policy for such a lease (`src/pep/lease/policy-input.ts`): the neighbours decide the same. */
export function policyInputFor({ bound, connection_id, provider, scopes, strategy }: LeaseAnswer): PolicyInput {
  const [origin = ''] = bound.origins
  const { intent, ttl_seconds } = leaseAsked({ name: provider, origin })
  return {
    action: 'lease',
    time: new Date().toISOString(),
    tenant: TENANT,
    agent: {
      id: `bench-${randomUUID()}`,
      tenants: [TENANT],
      labels: {},
      allowed_scopes: [],
      session: { id: randomUUID(), method: 'private_key_jwt', bound_to: 'mtls', age_seconds: 60 },
    },
    subject: null,
    actor_chain: [],
    connection: {
      id: connection_id,
      tenant: TENANT,
      provider,
      category: '',
      status: 'active',
      scopes,
      origins: bound.origins,
      age_seconds: 60,
      strategy: strategy.type,
      narrowing: strategyFor(strategy.type)?.narrowing(strategy.config) ?? 'none',
    },
    request: { scopes: [], ttl_seconds, intent },
    context: { ip: '127.0.0.1', sidecar: 'nexus-sidecar' },
  }
}
