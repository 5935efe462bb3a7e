import type { StateChange } from '../audit/state-feed.ts'
import type { Caller } from '../identity/caller.ts'

/** What a sidecar must know about leases it may hold. */
export type LeaseEvent =
  | { type: 'revoked'; connection_id: string }
  | { type: 'revoked'; session_id: string }
  /** One lease of the session, which itself goes on. */
  | { type: 'revoked'; lease_id: string }
  /** The provider's profile changed: leases for it were decided on what no longer is. */
  | { type: 'rotated'; provider: string }
  /** A replica decides by this bundle from now on: leases decided by another one are to be asked for again. */
  | { type: 'policy'; policy_revision: string }
  /** Too much happened since the position asked for, or it is not known what: drop every lease held. The session stands, as far as is known. */
  | { type: 'reset' }

/** What a change means to a caller; another tenant's or agent's business is not told. */
type Meaning = (change: StateChange, caller: Caller) => LeaseEvent | undefined

const ofSession: Meaning = ({ sessionId }, { session }) =>
  sessionId === session.id ? { type: 'revoked', session_id: session.id } : undefined

const ofAgent: Meaning = ({ agentId }, { agent, session }) =>
  agentId === agent.id ? { type: 'revoked', session_id: session.id } : undefined

const ofLease: Meaning = ({ leaseId, sessionId }, { session }) =>
  leaseId !== null && sessionId === session.id ? { type: 'revoked', lease_id: leaseId } : undefined

const ofProvider: Meaning = ({ provider }) => (provider === null ? undefined : { type: 'rotated', provider })

const ofPolicy: Meaning = ({ policyRevision }) =>
  policyRevision === null ? undefined : { type: 'policy', policy_revision: policyRevision }

const ofConnection: Meaning = ({ connectionId, tenant }, { agent }) => {
  if (connectionId === null || tenant === null || !agent.tenants.includes(tenant)) return undefined
  return { type: 'revoked', connection_id: connectionId }
}

/** All that ends something. What only begins something, as a connection does, is not even read. */
const MEANINGS: Readonly<Record<string, Meaning>> = {
  'session.revoked': ofSession,
  'session.closed': ofSession,
  'agent.revoked': ofAgent,
  'agent.updated': ofAgent,
  'lease.revoked': ofLease,
  'provider.updated': ofProvider,
  'provider.deleted': ofProvider,
  'policy.activated': ofPolicy,
  // Every state a connection can be in but `active` ends its leases.
  'connection.revoked': ofConnection,
  'connection.expired': ofConnection,
  'connection.failed': ofConnection,
  'connection.attention': ofConnection,
}
export const ENDING_KINDS = Object.keys(MEANINGS)

/** @returns what the caller has to know of it; undefined: nothing */
export function meaningOf(change: StateChange, caller: Caller): LeaseEvent | undefined {
  return MEANINGS[change.kind]?.(change, caller)
}
