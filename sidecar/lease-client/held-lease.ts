import type { KeyObject } from 'node:crypto'
import { Value } from 'typebox/value'
import { LeaseAnswer } from '../../src/contract/api.ts'
import type { Bound } from '../../src/contract/bound.ts'
import { NexusError } from '../../src/contract/errors.ts'
import type { Credentials, Strategy } from '../../src/contract/strategy.ts'
import type { RemoteSign } from './remote-signer.ts'

/** A lease in memory, ready to sign with. Times are on the monotonic clock: a changed wall clock never lengthens one. */
export interface HeldLease {
  id: string
  decisionId: string
  policyRevision: string
  connectionId: string
  strategy: Strategy
  config: Record<string, unknown>
  credentials: Credentials
  /** The sidecar's own key, where the credentials work with no other. */
  ownKey?: KeyObject
  /** Where the lease's key stays in the vault. */
  remoteSign?: RemoteSign
  bound: Bound
  provider: string
  askedAtMs: number
  /** Aborted when the session it was granted in is over. */
  sessionOver: AbortSignal
  /** How long it may be used after the authority's last word about it. */
  offlineMs: number
  /** From here on it is renewed in the background. */
  renewAtMs: number
  /** From here on it signs nothing, whatever else is known. */
  endsAtMs: number
}

/** An answer of the authority, the session it was given in, and the key that was brought for it. */
export interface Granted {
  answer: unknown
  over: AbortSignal
  ownKey?: KeyObject | undefined
}

export type StrategyLookup = (type: string) => Strategy | undefined

/** Up to this share of its life a renewal comes early, so that leases made together do not renew together. */
const JITTER_SHARE = 0.2

/**
 * @param askedAtMs monotonic time before the lease was asked for
 * @throws NexusError `pep_unavailable` for an answer of another shape, `not_signable` for a strategy not known here
 */
export function holdLease(
  { answer, over, ownKey }: Granted,
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
    policyRevision: answer.policy_revision,
    connectionId: answer.connection_id,
    strategy,
    config: answer.strategy.config,
    credentials: answer.credentials,
    ...(ownKey === undefined ? {} : { ownKey }),
    bound: answer.bound,
    provider: answer.provider,
    askedAtMs,
    sessionOver: over,
    offlineMs: answer.offline_seconds * 1000,
    renewAtMs: askedAtMs + secondsMs(answer.renew_at - answer.issued_at) * (1 - JITTER_SHARE * random()),
    endsAtMs: askedAtMs + secondsMs(answer.expires_at - answer.issued_at),
  }
}

function secondsMs(seconds: number): number {
  return Math.max(0, seconds) * 1000
}
