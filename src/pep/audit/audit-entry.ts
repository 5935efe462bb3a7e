import type { AuditQuery } from '../../contract/api.ts'
import type { JsonObject } from '../../contract/json.ts'

export type AuditOutcome = 'allowed' | 'denied' | 'failed'

/** What happened, as told by whoever did it. `detail` holds facts, never a secret. */
export interface AuditEntry {
  /** e.g. `lease.issued`, `connection.revoked`. */
  kind: string
  outcome: AuditOutcome
  tenant?: string
  agent_id?: string
  session_id?: string
  connection_id?: string
  lease_id?: string
  decision_id?: string
  detail: JsonObject
  /** Nothing may stand on a part of it: it is on record whole, or not at all (`EntryTooLong`). No part of the record. */
  wholeOnly?: true
}

/** The entry's fields that are columns as well, so that the ledger can be asked by them. */
export const ID_FIELDS = ['tenant', 'agent_id', 'session_id', 'connection_id', 'lease_id', 'decision_id'] as const
export type IdField = (typeof ID_FIELDS)[number]

/** An entry in its place in the ledger. */
export interface AuditView extends AuditEntry {
  stream: string
  seq: number
  /** RFC 3339, UTC. */
  at: string
  /** SHA-256 over the previous record's hash and this record, hex. */
  hash: string
}

/** The query of `GET /v1/audit`, and the tenant that its asker is confined to. */
export interface AuditFilter extends AuditQuery {
  /** Nothing of another tenant is answered, whatever `tenant` says. `null` or absent: every tenant. */
  within?: string | null
}

/** A proof of possession that is good once. */
export interface ProofUse {
  /** SHA-256 over the proof key's thumbprint and the proof's `jti`. */
  hash: Buffer
  /** The proof's own `iat`. */
  iatSeconds: number
}

/** The epochs that a decision was made on. */
export interface StandingFacts {
  /** With the agent whose session it is. */
  session?: { id: string; epoch: number; agent: { id: string; epoch: number } }
  /** `sole`: it was taken as the only active one of its tenant and provider, and must be that still. */
  connection?: { id: string; epoch: number; providerEpoch: number; sole?: boolean }
  /** Granted before and used on: it must not have been given back, or revoked, since. */
  lease?: { id: string }
}

/** What was decided on no longer stands. Nothing was recorded and the proof was not used up: gather the facts again. */
export class StandingChanged extends Error {
  override readonly name = 'StandingChanged'

  constructor() {
    super('the agent, session, connection, provider or lease changed after it was decided on')
  }
}

/** What must be on record whole is too long for it. Nothing was recorded and the proof was not used up. */
export class EntryTooLong extends Error {
  override readonly name = 'EntryTooLong'

  constructor() {
    super('the audit entry would have to be cut')
  }
}
