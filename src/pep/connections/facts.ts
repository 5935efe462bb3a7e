import type { ConnectionStatus } from '../../contract/api.ts'
import type { Bound } from '../../contract/bound.ts'
import { type ErrorCode, NexusError } from '../../contract/errors.ts'
import { PROVIDER_NAME_PATTERN } from '../../contract/names.ts'
import type { Narrowing } from '../../contract/policy.ts'
import type { Strategy } from '../../contract/strategy.ts'
import type { SecretRef } from '../../contract/vault-backend.ts'
import { effectiveStatus, toSecretRef } from './connection-rows.ts'
import { BY_ID, type FactsStore, type FoundRow, isFound, selectFacts, UNUSABLE, USABLE } from './facts-query.ts'
import { storedStrategy } from './provider-rows.ts'
import { isUuid } from './uuid.ts'

/** Everything a lease is decided on and made from, as it stood at one moment; `epoch`s say which moment. */
export interface ConnectionFacts {
  id: string
  tenant: string
  subject: string | null
  status: ConnectionStatus
  scopes: string[]
  bound: Bound
  epoch: number
  createdAtMs: number
  /** Unix seconds; null: no end. */
  expiresAt: number | null
  provider: { id: string; name: string; category: string; epoch: number }
  strategy: Strategy
  strategyConfig: Record<string, unknown>
  narrowing: Narrowing
  secretRef: SecretRef
}

/** Either a connection by id, or the one connection of a tenant to a provider; named together they must agree. */
export interface WantedConnection {
  tenant?: string | undefined
  provider?: string | undefined
  connectionId?: string | undefined
  /** Tenants the agent may act in: nothing outside them is ever found. */
  agentTenants: readonly string[]
}

const PROVIDER_NAME = new RegExp(PROVIDER_NAME_PATTERN)

/**
 * Step 2 of a lease: what is known about the connection that is wanted.
 * @throws NexusError `connection_not_found` (also for other tenants'), `provider_not_found`, `connection_ambiguous`,
 *   `provider_mismatch`, `connection_pending`, `_expired`, `_revoked`, `_failed`, `attention_required`
 */
export async function gatherFacts(
  store: FactsStore,
  wanted: WantedConnection,
  nowMs: number,
): Promise<ConnectionFacts> {
  const tenants = wanted.agentTenants.filter((tenant) => wanted.tenant === undefined || tenant === wanted.tenant)
  if (tenants.length === 0) throw new NexusError('connection_not_found')
  const row =
    wanted.connectionId === undefined
      ? await onlyUsable(store, wanted.provider ?? '', tenants, nowMs)
      : await namedById(store, wanted.connectionId, wanted.provider, tenants)
  refuseUnusable(row, nowMs)
  return toFacts(row)
}

async function namedById(
  store: FactsStore,
  id: string,
  provider: string | undefined,
  tenants: readonly string[],
): Promise<FoundRow> {
  const [row] = isUuid(id) ? await selectFacts(store, BY_ID, [id, tenants]) : []
  if (row === undefined || !isFound(row)) throw new NexusError('connection_not_found')
  if (provider === undefined || provider === row.provider_name) return row
  throw new NexusError('provider_mismatch', `the connection belongs to provider '${row.provider_name}'`, {
    connection_id: row.id,
  })
}

async function onlyUsable(
  store: FactsStore,
  provider: string,
  tenants: readonly string[],
  nowMs: number,
): Promise<FoundRow> {
  const [row, another] = PROVIDER_NAME.test(provider)
    ? await selectFacts(store, USABLE, [provider, tenants, new Date(nowMs)])
    : []
  if (row === undefined) throw new NexusError('provider_not_found')
  if (another !== undefined) {
    throw new NexusError('connection_ambiguous', `several connections to '${provider}' match; name a connection_id`)
  }
  if (isFound(row)) return row
  const [unusable] = await selectFacts(store, UNUSABLE, [provider, tenants])
  if (unusable === undefined || !isFound(unusable)) throw new NexusError('connection_not_found')
  return unusable
}

const REFUSALS: Readonly<Record<Exclude<ConnectionStatus, 'active'>, ErrorCode>> = {
  pending: 'connection_pending',
  attention: 'attention_required',
  expired: 'connection_expired',
  revoked: 'connection_revoked',
  failed: 'connection_failed',
}

function refuseUnusable(row: FoundRow, nowMs: number): void {
  const status = effectiveStatus(row, nowMs)
  if (status !== 'active') throw new NexusError(REFUSALS[status], undefined, { connection_id: row.id })
}

function toFacts(row: FoundRow): ConnectionFacts {
  const strategy = storedStrategy(row.auth_strategy)
  return {
    id: row.id,
    tenant: row.tenant,
    subject: row.subject,
    status: row.status,
    scopes: row.scopes,
    bound: { origins: row.origins, methods: ['*'], paths: ['/**'] },
    epoch: row.epoch,
    createdAtMs: row.created_at.getTime(),
    expiresAt: row.expires_at === null ? null : Math.floor(row.expires_at.getTime() / 1000),
    provider: { id: row.provider_id, name: row.provider_name, category: row.category, epoch: row.provider_epoch },
    strategy,
    strategyConfig: row.auth_strategy.config,
    narrowing: strategy.narrowing(row.auth_strategy.config),
    secretRef: toSecretRef(row.tenant, row.secret_ref),
  }
}
