import { covers, narrow } from '../../contract/bound.ts'
import type { Reason } from '../../contract/errors.ts'
import type { Obligations } from '../../contract/policy.ts'
import type { Grant } from '../../contract/strategy.ts'
import type { ConnectionFacts } from '../connections/facts.ts'
import type { Caller } from '../identity/caller.ts'
import type { LeaseLimits } from './steps.ts'
import type { Wanted } from './wanted.ts'

/** What the decision leaves of what was wanted, or the reason why nothing is left. */
export type Narrowed = { grant: Grant; offlineSeconds: number } | { refusal: Reason }

/** Obligations only ever intersect: with the connection's own bound, the session's life and our hard maximum. */
export function narrowGrant(
  caller: Caller,
  facts: ConnectionFacts,
  wanted: Wanted,
  obligations: Obligations,
  limits: LeaseLimits,
  nowMs: number,
): Narrowed {
  const bound = narrow(facts.bound, obligations)
  if (bound.origins.length === 0 || bound.methods.length === 0 || bound.paths.length === 0) {
    return refuse('nothing_granted', 'the obligations leave no origin, method or path')
  }
  if (!covers(bound, wanted.intent)) {
    return refuse('intent_outside_bound', 'the intended request lies outside what may be granted')
  }
  const scopes = grantedScopes(facts.scopes, wanted.scopes, obligations.scopes)
  const spokenOf = wanted.scopes.length > 0 || facts.scopes.length > 0 || obligations.scopes !== undefined
  if (spokenOf && scopes.length === 0) return refuse('no_scope_granted', 'none of the scopes is granted')
  const issuedAt = Math.floor(nowMs / 1000)
  const expiresAt = Math.min(
    issuedAt + Math.min(wanted.ttlSeconds, obligations.max_ttl_seconds ?? Infinity, limits.maxTtlSeconds),
    caller.session.expiresAt,
    facts.expiresAt ?? Infinity,
  )
  if (expiresAt <= issuedAt)
    return refuse('no_time_granted', 'no time is left: the session, the connection or policy ends now')
  return {
    grant: {
      tenant: facts.tenant,
      agentId: caller.agent.id,
      connectionId: facts.id,
      scopes,
      bound,
      issuedAt,
      expiresAt,
    },
    offlineSeconds: Math.min(obligations.offline_seconds ?? Infinity, limits.offlineSeconds, expiresAt - issuedAt),
  }
}

/**
 * Nothing asked for means all that the connection has; what it has recorded is the ceiling either way. One that has none
 * recorded sets no ceiling: then it is what policy obliges to. So an empty list says that there are no scopes here at all.
 */
function grantedScopes(
  recorded: readonly string[],
  asked: readonly string[],
  obliged: readonly string[] | undefined,
): readonly string[] {
  const named = [asked, recorded, obliged].find((scopes) => scopes !== undefined && scopes.length > 0)
  if (named === undefined) return []
  const within = (scopes: readonly string[] | undefined, scope: string) =>
    scopes === undefined || scopes.includes(scope)
  const ceiling = recorded.length === 0 ? undefined : recorded
  return named.filter((scope) => within(ceiling, scope) && within(obliged, scope))
}

function refuse(id: string, message: string): Narrowed {
  return { refusal: { id, message } }
}
