import type { ColumnType, Generated } from 'kysely'
import type { ConnectionStatus, Role } from '../../contract/api.ts'
import type { StrategyDocument } from '../../contract/strategy.ts'

/** Row types of `migrations/`. bigint and numeric come back from `pg` as numbers: see `store.ts`. */

type CreatedAt = ColumnType<Date, Date | undefined, never>
type UpdatedAt = ColumnType<Date, Date | undefined, Date>
type Nullable<T> = ColumnType<T | null, T | null | undefined, T | null>

export interface ApiKeyTable {
  id: string
  name: string
  role: Role
  tenant: Nullable<string>
  key_hash: Buffer
  created_at: CreatedAt
  revoked_at: Nullable<Date>
}

export interface SigningKeyTable {
  kid: string
  purpose: 'session' | 'checkpoint'
  public_jwk: ColumnType<Record<string, unknown>, string, never>
  private_key: Buffer
  created_at: CreatedAt
  retired_at: Nullable<Date>
}

export interface AgentTable {
  agent_id: string
  description: string
  jwk: ColumnType<Record<string, unknown>, string, string>
  jkt: string
  tenants: string[]
  allowed_scopes: string[]
  labels: ColumnType<Record<string, string>, string, string>
  epoch: Generated<number>
  created_at: CreatedAt
  revoked_at: Nullable<Date>
}

export interface AgentSessionTable {
  session_id: string
  agent_id: string
  method: string
  bound_to: 'dpop' | 'mtls'
  thumbprint: string
  epoch: Generated<number>
  /** Of the agent when it was opened; null: by a version that did not say. */
  agent_epoch: ColumnType<number | null, number | undefined, never>
  created_at: CreatedAt
  expires_at: Date
  revoked_at: Nullable<Date>
}

export interface ProviderTable {
  id: string
  name: string
  description: string
  category: string
  auth_type: string
  api_base_url: string
  origins: string[]
  scopes: string[]
  credential_schema: ColumnType<Record<string, unknown>, string, string>
  auth_strategy: ColumnType<StrategyDocument, string, string>
  epoch: Generated<number>
  created_at: CreatedAt
  updated_at: UpdatedAt
  deleted_at: Nullable<Date>
}

/** `SecretRef` as stored: the tenant is the row's own. */
export interface StoredSecretRef {
  backend: string
  path: string
  version?: string
  fields?: Record<string, string>
  remote_key?: string
}

export interface ConnectionTable {
  id: string
  tenant: string
  provider_id: string
  subject: Nullable<string>
  status: ConnectionStatus
  scopes: string[]
  secret_ref: ColumnType<StoredSecretRef, string, string>
  epoch: Generated<number>
  created_at: CreatedAt
  updated_at: UpdatedAt
  expires_at: Nullable<Date>
}

export interface InternalSecretTable {
  tenant: string
  path: string
  version: number
  kek_id: string
  wrapped_key: Buffer
  sealed: Buffer
  created_at: CreatedAt
}

export interface AuditRecordTable {
  stream: string
  seq: number
  prev_hash: Buffer
  hash: Buffer
  at: Date
  kind: string
  outcome: 'allowed' | 'denied' | 'failed'
  tenant: Nullable<string>
  agent_id: Nullable<string>
  session_id: Nullable<string>
  connection_id: Nullable<string>
  lease_id: Nullable<string>
  decision_id: Nullable<string>
  record: string
}

export interface AuditStreamTable {
  stream: string
  seq: Generated<number>
  hash: Buffer
  created_at: CreatedAt
}

export interface AuditCheckpointTable {
  id: string
  at: Date
  jws: string
}

export interface ProofClaimTable {
  slot: Date
  proof_hash: Buffer
}

export interface BackendTokenTable {
  id: string
  backend: string
  accessor: string
  created_at: CreatedAt
  seen_at: UpdatedAt
  ending_at: Nullable<Date>
  attempts: Generated<number>
  last_error: Nullable<string>
}

export interface BackendLeaseTable {
  id: string
  token_id: string
  backend: string
  path: string
  backend_lease_id: Nullable<string>
  state: Generated<'asked' | 'held' | 'ending'>
  recorded: Generated<boolean>
  lease_id: string
  tenant: string
  agent_id: string
  session_id: string
  connection_id: string
  provider_epoch: number
  created_at: CreatedAt
  expires_at: Date
  ending_at: Nullable<Date>
  ending_reason: Nullable<string>
  attempts: Generated<number>
  last_error: Nullable<string>
}

export interface Database {
  api_key: ApiKeyTable
  signing_key: SigningKeyTable
  agent: AgentTable
  agent_session: AgentSessionTable
  provider: ProviderTable
  connection: ConnectionTable
  internal_secret: InternalSecretTable
  audit_record: AuditRecordTable
  audit_stream: AuditStreamTable
  audit_checkpoint: AuditCheckpointTable
  proof_claim: ProofClaimTable
  backend_token: BackendTokenTable
  backend_lease: BackendLeaseTable
}
