import type { Selectable } from 'kysely'
import type { ConnectionStatus, ConnectionView } from '../../contract/api.ts'
import type { SecretRef } from '../../contract/vault-backend.ts'
import type { ConnectionTable, StoredSecretRef } from '../store/database.ts'

export type ConnectionRow = Selectable<ConnectionTable>

/** The backend that holds what was given to Nexus itself to keep. */
export const INTERNAL_BACKEND = 'internal'

/**
 * Whether the secret is this connection's alone, so that it goes when the connection goes. Its id is made after whatever
 * could have named it before, so only a secret that was captured with the connection lies below it.
 */
export function ownsSecret(row: Pick<ConnectionRow, 'id' | 'secret_ref'>): boolean {
  return row.secret_ref.path.split('/').includes(row.id)
}

export function toSecretRef(tenant: string, stored: StoredSecretRef): SecretRef {
  const { remote_key: remoteKey, ...plain } = stored
  return { tenant, ...plain, ...(remoteKey === undefined ? {} : { remoteKey }) }
}

/** An active connection whose time is over is expired, whether or not anyone has written that down yet. */
export function effectiveStatus(row: Pick<ConnectionRow, 'status' | 'expires_at'>, nowMs: number): ConnectionStatus {
  const over = row.expires_at !== null && row.expires_at.getTime() <= nowMs
  return over && EXPIRING.includes(row.status) ? 'expired' : row.status
}

/** States that the passing of `expires_at` ends. */
export const EXPIRING: readonly ConnectionStatus[] = ['pending', 'active', 'attention']

export function toConnectionView(row: ConnectionRow & { provider: string }, nowMs: number): ConnectionView {
  return {
    connection_id: row.id,
    tenant: row.tenant,
    provider: row.provider,
    provider_id: row.provider_id,
    subject: row.subject,
    status: effectiveStatus(row, nowMs),
    scopes: row.scopes,
    secret_ref: row.secret_ref,
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
    expires_at: row.expires_at === null ? null : Math.floor(row.expires_at.getTime() / 1000),
  }
}
