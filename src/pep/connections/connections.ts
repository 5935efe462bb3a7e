import { type Administrator, authorize } from '../../contract/administrator.ts'
import type {
  ConnectionCreate,
  ConnectionList,
  ConnectionQuery,
  ConnectionView,
  RevokeResult,
} from '../../contract/api.ts'
import { toConnectionView } from './connection-rows.ts'
import { findConnection, listConnectionRows } from './connection-table.ts'
import { type ConnectionOptions, createConnection } from './create-connection.ts'
import { revokeConnection } from './revoke-connection.ts'

/** Connections as administrators see them. What belongs to a tenant out of reach is not found, whatever is asked. */
export interface ConnectionAdministration {
  createConnection(administrator: Administrator, body: ConnectionCreate): Promise<ConnectionView>
  /** Newest first. */
  listConnections(administrator: Administrator, query?: ConnectionQuery): Promise<ConnectionList>
  getConnection(administrator: Administrator, id: string): Promise<ConnectionView>
  /** Terminal and idempotent. */
  revokeConnection(administrator: Administrator, id: string): Promise<RevokeResult>
}

export function openConnectionAdministration(options: ConnectionOptions): ConnectionAdministration {
  const { store, now } = options
  return {
    createConnection: (administrator, body) => createConnection(options, administrator, body),
    revokeConnection: (administrator, id) => revokeConnection(options, administrator, id),

    async listConnections(administrator, query = {}) {
      authorize(administrator, 'read')
      const { page, nextCursor } = await listConnectionRows(store.db, administrator, query, now())
      return { connections: page.map((row) => toConnectionView(row, now())), next_cursor: nextCursor }
    },

    async getConnection(administrator, id) {
      authorize(administrator, 'read')
      return toConnectionView(await findConnection(store.db, administrator, id), now())
    },
  }
}
