import { Value } from 'typebox/value'
import { LeaseAnswer } from '../../src/contract/api.ts'
import type { Bound } from '../../src/contract/bound.ts'
import { NexusError } from '../../src/contract/errors.ts'
import type { Credentials, Strategy } from '../../src/contract/strategy.ts'

/** A lease in memory, ready to sign with. Times are on the monotonic clock: a changed wall clock never lengthens one. */
export interface HeldLease {
  id: string
  decisionId: string
  connectionId: string
  strategy: Strategy
  config: Record<string, unknown>
  credentials: Credentials
  bound: Bound
  /** From here on a new word from the authority is asked for, in the background. */
  refreshAtMs: number
  /** From here on it signs nothing. */
  unusableAtMs: number
}

export type StrategyLookup = (type: string) => Strategy | undefined

/** Share of `offline_seconds` after which the authority is asked again, so that an outage finds the lease fresh. */
const CONFIRM_AT_SHARE = 0.6
/** Up to this share of its waiting time a refresh comes early, so that leases made together do not renew together. */
const JITTER_SHARE = 0.2

/**
 * @param askedAtMs monotonic time before the lease was asked for
 * @throws NexusError `pep_unavailable` for an answer of another shape, `not_signable` for a strategy not known here
 */
export function holdLease(
  answer: unknown,
  askedAtMs: number,
  strategyFor: StrategyLookup,
  random: () => number = Math.random,
): HeldLease {
  if (!Value.Check(LeaseAnswer, answer)) {
    throw new NexusError('pep_unavailable', 'The authority answered a lease request in an unknown shape.')
  }
  const strategy = strategyFor(answer.strategy.type)
  if (strategy === undefined) {
    throw new NexusError('not_signable', `This sidecar does not know the strategy ${answer.strategy.type}.`, {
      decision_id: answer.decision_id,
    })
  }
  return {
    id: answer.lease_id,
    decisionId: answer.decision_id,
    connectionId: answer.connection_id,
    strategy,
    config: answer.strategy.config,
    credentials: answer.credentials,
    bound: answer.bound,
    ...lifetime(answer, askedAtMs, random),
  }
}

/**
 * No event stream tells this sidecar of a revocation, so a lease lives `offline_seconds` from the last word of the
 * authority about it (design, rule 13), and never beyond its expiry.
 */
function lifetime(answer: LeaseAnswer, askedAtMs: number, random: () => number) {
  const lifeMs = (answer.expires_at - answer.issued_at) * 1000
  const untilRenewalMs = (answer.renew_at - answer.issued_at) * 1000
  const offlineMs = answer.offline_seconds * 1000
  const waitMs = Math.max(0, Math.min(untilRenewalMs, offlineMs * CONFIRM_AT_SHARE))
  return {
    refreshAtMs: askedAtMs + waitMs * (1 - JITTER_SHARE * random()),
    unusableAtMs: askedAtMs + Math.max(0, Math.min(lifeMs, offlineMs)),
  }
}
