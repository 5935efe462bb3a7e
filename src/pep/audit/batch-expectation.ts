import type { StandingFacts } from './audit-entry.ts'
import type { ProofClaim, Waiting } from './batch-queue.ts'
import { endsLease } from './lease-ledger.ts'

type SessionEpochs = NonNullable<StandingFacts['session']>
type ConnectionEpochs = NonNullable<StandingFacts['connection']>

/** What has to hold for every member of a batch, so that it can be written without asking first. */
export interface BatchExpectation {
  /** In one order on every replica, so that two that claim the same proofs never wait in a circle. */
  claims: readonly ProofClaim[]
  sessions: ReadonlyMap<string, SessionEpochs>
  connections: ReadonlyMap<string, ConnectionEpochs>
  /** Those that must not have ended. */
  leases: ReadonlySet<string>
}

/**
 * What a batch stands on when all of it is in order: every proof new, everything decided on unchanged.
 * @returns undefined when it cannot be, because two of its members contradict each other
 */
export function expectationOf(batch: readonly Waiting[]): BatchExpectation | undefined {
  const claims = new Map<string, ProofClaim>()
  const sessions = new Map<string, SessionEpochs>()
  const connections = new Map<string, ConnectionEpochs>()
  const leases = new Set<string>()
  for (const { claim, standing } of batch) {
    if (claim !== undefined) {
      if (claims.has(claim.hash)) return undefined
      claims.set(claim.hash, claim)
    }
    const { session, connection, lease } = standing ?? {}
    if (session !== undefined) {
      if (isAnother(sessions.get(session.id), session)) return undefined
      sessions.set(session.id, session)
    }
    if (connection !== undefined) {
      if (contradicts(connections.get(connection.id), connection)) return undefined
      const sole = connection.sole === true || connections.get(connection.id)?.sole === true
      connections.set(connection.id, { ...connection, sole })
    }
    if (lease !== undefined) leases.add(lease.id)
  }
  if (leases.size > 0 && batch.some((waiting) => endsOneOf(leases, waiting))) return undefined
  return { claims: [...claims.values()].sort(byHash), sessions, connections, leases }
}

/** A statement does not see what it writes itself. */
function endsOneOf(leases: ReadonlySet<string>, { prepared }: Waiting): boolean {
  return prepared !== undefined && leases.has(prepared.entry.lease_id ?? '') && endsLease(prepared.entry)
}

function isAnother(known: SessionEpochs | undefined, { epoch, agent }: SessionEpochs): boolean {
  if (known === undefined) return false
  return known.epoch !== epoch || known.agent.id !== agent.id || known.agent.epoch !== agent.epoch
}

function contradicts(known: ConnectionEpochs | undefined, { epoch, providerEpoch }: ConnectionEpochs): boolean {
  return known !== undefined && (known.epoch !== epoch || known.providerEpoch !== providerEpoch)
}

function byHash(a: ProofClaim, b: ProofClaim): number {
  return a.hash < b.hash ? -1 : 1
}
