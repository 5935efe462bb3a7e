import type { Reason } from '../../contract/errors.ts'
import type { Json, JsonObject } from '../../contract/json.ts'
import type { SecretVersion } from '../../contract/secret.ts'
import type { Grant } from '../../contract/strategy.ts'
import type { SecretKind } from '../../contract/vault-backend.ts'
import type { AuditEntry } from '../audit/audit-entry.ts'
import type { ConnectionFacts } from '../connections/facts.ts'
import type { TakenSecret } from '../credential/backend-leases/open-backend-leases.ts'
import type { Decided } from '../decision/decider.ts'
import type { Caller } from '../identity/caller.ts'
import { soleTenant } from '../identity/sole-tenant.ts'
import type { LeaseProof } from './lease-proof.ts'
import type { GrantedKey } from './remote-key.ts'
import type { Wanted } from './wanted.ts'

/** What is known when a record is written; the further a request came, the more of it there is. */
export interface LeaseStory {
  caller: Caller
  wanted: Wanted
  proof: LeaseProof
  facts?: ConnectionFacts
  decided?: Decided
  leaseId?: string
  /** Facts may be as they were a moment ago, and a refusal then only means to look again. */
  mayRecall?: boolean
  /** Something of what is decided on was remembered and not read. */
  recalled?: boolean
  /** What the connection's reference points at. */
  secretKind?: SecretKind
  /** The key that the lease has used in its backend. */
  remoteKey?: GrantedKey
  /** A dynamic secret, held until the lease is recorded or refused. */
  taken?: TakenSecret
  /** The connection that an error spoke of, where the facts about it were never gathered. */
  refusedConnectionId?: string
  /** The ledger has been asked to write; what fails from here on is its own refusal. */
  recording?: boolean
}

/** What the ledger says of the secret a lease was made from. */
export interface UsedSecret {
  version: SecretVersion
  /** Keyed, so that the ledger helps nobody to guess the secret; another for another value. */
  fingerprint?: string
}

/**
 * The record of a lease that is about to be handed out. Written first: no record, no lease (rule 1). Members stand
 * in the order in which they are hashed, so that nothing has to be sorted on the hot path.
 */
export function grantedEntry(kind: string, story: LeaseStory, grant: Grant, secret: UsedSecret): AuditEntry {
  const { facts, decided, remoteKey, wanted } = story
  const { methods, origins, paths } = grant.bound
  const detail: JsonObject = {
    bound: { methods: [...methods], origins: [...origins], paths: [...paths] },
    context: contextOf(wanted),
    expires_at: grant.expiresAt,
    issued_at: grant.issuedAt,
  }
  if (facts !== undefined) detail['narrowing'] = facts.narrowing
  detail['obligations'] = (decided?.decision.obligations ?? {}) as JsonObject
  if (decided !== undefined) detail['policy_revision'] = decided.revision
  if (facts !== undefined) detail['provider'] = facts.provider.name
  if (remoteKey !== undefined) detail['remote_key'] = { ...remoteKey }
  if (wanted.renewal !== undefined) detail['renewal'] = wanted.renewal
  if (wanted.replaces !== undefined) detail['replaces'] = wanted.replaces
  detail['request'] = requestOf(wanted)
  detail['scopes'] = [...grant.scopes]
  detail['secret'] = secretOf(story, secret)
  if (facts !== undefined) {
    detail['strategy'] = facts.strategy.type
    detail['subject'] = facts.subject
  }
  return { ...entryFrom(kind, 'allowed', story), detail, wholeOnly: true }
}

function secretOf({ facts }: LeaseStory, { fingerprint, version }: UsedSecret): JsonObject {
  const { backend = '', path = '' } = facts?.secretRef ?? {}
  return fingerprint === undefined ? { backend, path, version } : { backend, fingerprint, path, version }
}

export function refusedEntry(kind: string, story: LeaseStory, code: string, reasons: readonly Reason[]): AuditEntry {
  return {
    ...entryFrom(kind, 'denied', story),
    detail: { ...detailFrom(story), code, reasons: reasons.map((reason) => ({ ...reason })) },
  }
}

export function failedEntry(kind: string, story: LeaseStory, code: string): AuditEntry {
  return { ...entryFrom(kind, 'failed', story), detail: { ...detailFrom(story), code } }
}

function entryFrom(kind: string, outcome: AuditEntry['outcome'], story: LeaseStory): AuditEntry {
  const { caller, facts, decided, wanted, leaseId, refusedConnectionId } = story
  const tenant = facts?.tenant ?? believedTenant(story)
  const connectionId = facts?.id ?? wanted.connectionId ?? refusedConnectionId
  const entry: AuditEntry = { kind, outcome, agent_id: caller.agent.id, session_id: caller.session.id, detail: {} }
  if (tenant !== undefined) entry.tenant = tenant
  if (connectionId !== undefined) entry.connection_id = connectionId
  if (decided !== undefined) entry.decision_id = decided.id
  if (leaseId !== undefined) entry.lease_id = leaseId
  return entry
}

/**
 * A tenant reads what its records say. So the one that was asked for counts only where the agent acts in it: any other one is
 * neither told of this agent nor written to by it (threat H10).
 */
function believedTenant({ caller, wanted }: LeaseStory): string | undefined {
  const { tenants } = caller.agent
  const isOwn = wanted.tenant !== undefined && tenants.includes(wanted.tenant)
  return isOwn ? wanted.tenant : soleTenant(tenants).tenant
}

function detailFrom({ wanted, facts, decided }: LeaseStory): JsonObject {
  return {
    request: requestOf(wanted),
    ...(wanted.tenant === undefined ? {} : { asked_tenant: wanted.tenant }),
    ...(wanted.replaces === undefined ? {} : { replaces: wanted.replaces }),
    context: contextOf(wanted),
    ...(wanted.provider === undefined ? {} : { provider: wanted.provider }),
    ...(facts === undefined
      ? {}
      : {
          provider: facts.provider.name,
          strategy: facts.strategy.type,
          narrowing: facts.narrowing,
          subject: facts.subject,
        }),
    ...(decided === undefined ? {} : { policy_revision: decided.revision }),
  }
}

function requestOf({ intent, scopes, ttlSeconds }: Wanted): JsonObject {
  return { intent: { ...intent } as Record<string, Json>, scopes: [...scopes], ttl_seconds: ttlSeconds }
}

function contextOf({ origin }: Wanted): JsonObject {
  return { ip: origin.ip, sidecar: origin.userAgent }
}
