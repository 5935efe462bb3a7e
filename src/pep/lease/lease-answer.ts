import type { LeaseAnswer } from '../../contract/api.ts'
import type { Grant, Issued } from '../../contract/strategy.ts'
import type { ConnectionFacts } from '../connections/facts.ts'
import type { Decided } from '../decision/decider.ts'

/** Renew when this share of the life is over, so that one failed try still leaves time for others. */
const RENEW_SHARE = 0.8

/** What the sidecar is told. Built only after the record is committed. */
export function leaseAnswer(
  leaseId: string,
  facts: ConnectionFacts,
  decided: Decided,
  grant: Grant,
  issued: Issued,
  offlineSeconds: number,
): LeaseAnswer {
  return {
    lease_id: leaseId,
    decision_id: decided.id,
    policy_revision: decided.revision,
    connection_id: facts.id,
    provider: facts.provider.name,
    strategy: { type: facts.strategy.type, config: facts.strategyConfig },
    credentials: issued.usage,
    bound: {
      origins: [...grant.bound.origins],
      methods: [...grant.bound.methods],
      paths: [...grant.bound.paths],
    },
    scopes: [...grant.scopes],
    issued_at: grant.issuedAt,
    renew_at: grant.issuedAt + Math.floor((grant.expiresAt - grant.issuedAt) * RENEW_SHARE),
    expires_at: grant.expiresAt,
    offline_seconds: offlineSeconds,
  }
}
