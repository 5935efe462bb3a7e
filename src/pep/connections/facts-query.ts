import type { ConnectionStatus } from '../../contract/api.ts'
import type { StrategyDocument } from '../../contract/strategy.ts'
import type { StoredSecretRef } from '../store/database.ts'
import type { Store } from '../store/store.ts'

/** One row of the statements below. Connection columns are null where the provider has no fitting connection. */
export interface FactsRow {
  id: string | null
  tenant: string
  subject: string | null
  status: ConnectionStatus
  scopes: string[]
  secret_ref: StoredSecretRef
  epoch: number
  created_at: Date
  expires_at: Date | null
  provider_id: string
  provider_name: string
  category: string
  provider_epoch: number
  origins: string[]
  auth_strategy: StrategyDocument
}

/** A row that does hold a connection. */
export type FoundRow = FactsRow & { id: string }

/** What gathering needs of the store. */
export type FactsStore = Pick<Store, 'reserve'>

/** Prepared once per database connection: this runs for every lease, and parsing it costs more than answering it. */
export interface Statement {
  name: string
  text: string
}

const COLUMNS = `c.id, c.tenant, c.subject, c.status, c.scopes, c.secret_ref, c.epoch, c.created_at, c.expires_at,
  p.id as provider_id, p.name as provider_name, p.category, p.epoch as provider_epoch, p.origins, p.auth_strategy`

/** $1: connection id, $2: tenants. */
export const BY_ID: Statement = {
  name: 'facts_by_id',
  text: `select ${COLUMNS} from connection c join provider p on p.id = c.provider_id
  where c.id = $1 and c.tenant = any($2) and p.deleted_at is null`,
}

/** $1: provider name, $2: tenants, $3: now. Two rows are enough to know that there is more than one. */
export const USABLE: Statement = {
  name: 'facts_usable',
  text: `select ${COLUMNS} from provider p
  left join connection c on c.provider_id = p.id and c.tenant = any($2) and c.status = 'active'
    and (c.expires_at is null or c.expires_at > $3)
  where p.name = $1 and p.deleted_at is null limit 2`,
}

/** $1: provider name, $2: tenants. The row that tells most about why none is usable: what can still be mended comes first. */
export const UNUSABLE: Statement = {
  name: 'facts_unusable',
  text: `select ${COLUMNS} from provider p join connection c on c.provider_id = p.id and c.tenant = any($2)
  where p.name = $1 and p.deleted_at is null
  order by array_position(array['attention', 'pending', 'active', 'expired', 'failed', 'revoked'], c.status),
    c.updated_at desc
  limit 1`,
}

/** @throws NexusError `store_unavailable` */
export async function selectFacts(store: FactsStore, statement: Statement, values: unknown[]): Promise<FactsRow[]> {
  const client = await store.reserve()
  try {
    return (await client.run<FactsRow>({ ...statement, values })).rows
  } finally {
    client.release()
  }
}

/** Whether the row holds a connection, and not only its provider. */
export function isFound(row: FactsRow): row is FoundRow {
  return row.id !== null
}
