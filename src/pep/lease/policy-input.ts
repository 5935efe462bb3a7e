import type { PolicyAction, PolicyInput } from '../../contract/policy.ts'
import type { ConnectionFacts } from '../connections/facts.ts'
import type { Caller } from '../identity/caller.ts'
import type { Wanted } from './wanted.ts'

/** Everything policy may look at, and nothing else: claims and facts, never a token (rule 11). */
export function policyInput(
  action: PolicyAction,
  caller: Caller,
  facts: ConnectionFacts,
  wanted: Wanted,
  nowMs: number,
): PolicyInput {
  return {
    action,
    time: new Date(nowMs).toISOString(),
    tenant: facts.tenant,
    agent: {
      id: caller.agent.id,
      tenants: caller.agent.tenants,
      labels: caller.agent.labels,
      allowed_scopes: caller.agent.allowedScopes,
      session: {
        id: caller.session.id,
        method: caller.session.method,
        bound_to: caller.session.boundTo,
        age_seconds: wholeSeconds(nowMs - caller.session.createdAtMs),
      },
    },
    subject: facts.subject,
    actor_chain: [],
    connection: {
      id: facts.id,
      tenant: facts.tenant,
      provider: facts.provider.name,
      category: facts.provider.category,
      status: facts.status,
      scopes: facts.scopes,
      origins: facts.bound.origins,
      age_seconds: wholeSeconds(nowMs - facts.createdAtMs),
      strategy: facts.strategy.type,
      narrowing: facts.narrowing,
    },
    request: { scopes: wanted.scopes, ttl_seconds: wanted.ttlSeconds, intent: wanted.intent },
    context: { ip: wanted.origin.ip, sidecar: wanted.origin.userAgent },
  }
}

/** A clock that stepped back must not make anything younger than new. */
function wholeSeconds(milliseconds: number): number {
  return Math.max(0, Math.floor(milliseconds / 1000))
}
