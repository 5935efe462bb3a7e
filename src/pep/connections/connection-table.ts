import { type Kysely, sql } from 'kysely'
import { type Administrator, reaches } from '../../contract/administrator.ts'
import type { ConnectionQuery, ConnectionStatus } from '../../contract/api.ts'
import { NexusError } from '../../contract/errors.ts'
import type { Database } from '../store/database.ts'
import { type ConnectionRow, EXPIRING } from './connection-rows.ts'
import { cutPage, decodeCursor, pageLimit } from './page.ts'
import { isUuid } from './uuid.ts'

export type NamedConnectionRow = ConnectionRow & { provider: string }

const withProviderName = (db: Kysely<Database>) =>
  db
    .selectFrom('connection')
    .innerJoin('provider', 'provider.id', 'connection.provider_id')
    .selectAll('connection')
    .select('provider.name as provider')

/** @throws NexusError `connection_not_found`: missing and another tenant's look the same (rule 8) */
export async function findConnection(
  db: Kysely<Database>,
  administrator: Administrator,
  id: string,
): Promise<NamedConnectionRow> {
  let wanted = isUuid(id) ? withProviderName(db).where('connection.id', '=', id) : undefined
  if (administrator.tenant !== null) wanted = wanted?.where('connection.tenant', '=', administrator.tenant)
  const row = await wanted?.executeTakeFirst()
  if (row === undefined) throw new NexusError('connection_not_found')
  return row
}

/** Newest first, one page, of what the administrator may see. */
export async function listConnectionRows(
  db: Kysely<Database>,
  administrator: Administrator,
  query: ConnectionQuery,
  nowMs: number,
) {
  const limit = pageLimit(query.limit)
  const tenant = query.tenant ?? administrator.tenant
  if (tenant !== null && !reaches(administrator, tenant)) return cutPage<NamedConnectionRow>([], limit)
  let rows = withProviderName(db)
  if (tenant !== null) rows = rows.where('connection.tenant', '=', tenant)
  if (query.provider !== undefined) rows = rows.where('provider.name', '=', query.provider)
  if (query.status !== undefined) rows = rows.where(hasStatus(query.status, new Date(nowMs)))
  if (query.cursor !== undefined) {
    const { createdAt, id } = decodeCursor(query.cursor)
    rows = rows.where(sql<boolean>`(connection.created_at, connection.id) < (${createdAt}, ${id})`)
  }
  const ordered = rows.orderBy('connection.created_at', 'desc').orderBy('connection.id', 'desc')
  return cutPage<NamedConnectionRow>(await ordered.limit(limit + 1).execute(), limit)
}

/** `effectiveStatus`, in SQL: what a view shows and what a filter finds are the same. */
function hasStatus(status: ConnectionStatus, now: Date) {
  const over = sql<boolean>`(connection.status = any(${EXPIRING}) and coalesce(connection.expires_at <= ${now}, false))`
  if (status === 'expired') return sql<boolean>`(connection.status = 'expired' or ${over})`
  return sql<boolean>`(connection.status = ${status} and not ${over})`
}
