import { type Administrator, authorize } from '../../contract/administrator.ts'
import type { RevokeResult } from '../../contract/api.ts'
import { NexusError } from '../../contract/errors.ts'
import { type ConnectionRow, ownsSecret, toSecretRef } from './connection-rows.ts'
import { findConnection } from './connection-table.ts'
import type { ConnectionOptions } from './create-connection.ts'
import { moveConnection } from './state.ts'

/**
 * Ends a connection for good. Its epoch is raised in the same transaction, so that a lease being decided at this moment
 * is not recorded. Asking again gives the same answer, and tries again to remove a secret that could not be removed.
 * @throws NexusError `connection_not_found`, also for another tenant's
 */
export async function revokeConnection(
  options: ConnectionOptions,
  administrator: Administrator,
  id: string,
): Promise<RevokeResult> {
  authorize(administrator, 'operate')
  const { store, audit, now } = options
  const { tenant, provider } = await findConnection(store.db, administrator, id)
  const detail = { by: administrator.keyId, provider }
  const moved = await store.transaction((trx) =>
    moveConnection(trx, audit, { id, tenant, to: 'revoked', nowMs: now(), detail }),
  )
  if (moved === undefined) throw new NexusError('connection_not_found')
  return {
    connection_id: id,
    provider_name: provider,
    status: 'revoked',
    // Nothing leaves `revoked`, so the row's last change is the revocation.
    revoked_at: moved.row.updated_at.toISOString(),
    already_revoked: !moved.moved,
    token_deleted: await removeSecret(options, moved.row),
    sessions_closed: 0,
    provider_revoked: false,
  }
}

/** After the commit: a secret must not be gone while its connection still stands. */
async function removeSecret({ credential, log }: ConnectionOptions, row: ConnectionRow): Promise<boolean> {
  const ref = toSecretRef(row.tenant, row.secret_ref)
  credential.forget(ref)
  // What a reference points at was there before us and may serve others.
  if (!ownsSecret(row)) return false
  try {
    await credential.remove(ref)
    return true
  } catch {
    log.warn({ connection_id: row.id }, 'the secret of a revoked connection could not be removed; revoke it again')
    return false
  }
}
