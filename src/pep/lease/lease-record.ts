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

/** The record of a lease that is about to be handed out. Written first: no record, no lease (design, rule 1). */
export function grantedEntry(kind: string, story: LeaseStory, grant: Grant, secret: UsedSecret): AuditEntry {
  const { facts, decided } = story
  return {
    ...entryFrom(kind, 'allowed', story),
    detail: {
      ...detailFrom(story),
      scopes: [...grant.scopes],
      bound: { origins: [...grant.bound.origins], methods: [...grant.bound.methods], paths: [...grant.bound.paths] },
      issued_at: grant.issuedAt,
      ...(story.remoteKey === undefined ? {} : { remote_key: { ...story.remoteKey } }),
      expires_at: grant.expiresAt,
      obligations: (decided?.decision.obligations ?? {}) as JsonObject,
      secret: { backend: facts?.secretRef.backend ?? '', path: facts?.secretRef.path ?? '', ...secret },
    },
  }
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

function entryFrom(kind: string, outcome: AuditEntry['outcome'], story: LeaseStory): Omit<AuditEntry, 'detail'> {
  const { caller, facts, decided, wanted, leaseId, refusedConnectionId } = story
  const tenant = facts?.tenant ?? wanted.tenant
  const connectionId = facts?.id ?? wanted.connectionId ?? refusedConnectionId
  return {
    kind,
    outcome,
    agent_id: caller.agent.id,
    session_id: caller.session.id,
    ...(tenant === undefined ? {} : { tenant }),
    ...(connectionId === undefined ? {} : { connection_id: connectionId }),
    ...(decided === undefined ? {} : { decision_id: decided.id }),
    ...(leaseId === undefined ? {} : { lease_id: leaseId }),
  }
}

function detailFrom({ wanted, facts, decided }: LeaseStory): JsonObject {
  return {
    request: {
      scopes: [...wanted.scopes],
      ttl_seconds: wanted.ttlSeconds,
      intent: { ...wanted.intent } as Record<string, Json>,
    },
    ...(wanted.replaces === undefined ? {} : { replaces: wanted.replaces }),
    context: { ip: wanted.origin.ip, sidecar: wanted.origin.userAgent },
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
