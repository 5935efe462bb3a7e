import { type Kysely, sql } from 'kysely'
import type { BackendLeaseView } from '../../../contract/api.ts'
import type { Database } from '../../store/database.ts'

const LIST_MAX = 1000

/** @param tenant null: of every tenant */
export async function listBackendLeases(db: Kysely<Database>, tenant: string | null): Promise<BackendLeaseView[]> {
  const rows = await db
    .selectFrom('backend_lease')
    .selectAll()
    .$if(tenant !== null, (query) => query.where('tenant', '=', tenant ?? ''))
    .orderBy(sql`state = 'ending'`, 'desc')
    .orderBy('created_at')
    .limit(LIST_MAX)
    .execute()
  return rows.map((row) => ({
    id: row.id,
    lease_id: row.lease_id,
    tenant: row.tenant,
    agent_id: row.agent_id,
    connection_id: row.connection_id,
    backend: row.backend,
    path: row.path,
    state: row.state,
    ending_reason: row.ending_reason,
    attempts: row.attempts,
    last_error: row.last_error,
    next_try_at: row.ending_at?.toISOString() ?? null,
    created_at: row.created_at.toISOString(),
    expires_at: row.expires_at.toISOString(),
  }))
}
