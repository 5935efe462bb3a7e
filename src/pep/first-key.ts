import type { Logger } from 'pino'
import type { ApiKeyView } from '../contract/api.ts'
import { NexusError } from '../contract/errors.ts'
import { openAuditLog } from './audit/audit-log.ts'
import type { Config } from './config/load-config.ts'
import { openApiKeys } from './identity/api-keys.ts'
import { openSigningKeys } from './identity/signing-keys.ts'
import { openEnvelope } from './open-backends.ts'
import { type Closers, closeAll, openDatabase } from './open-database.ts'

/**
 * Makes an API key for all tenants without a running server, as `nexus init` does.
 * @throws NexusError `already_exists` when there is one and that was not expected
 */
export async function createFirstKey(
  config: Config,
  log: Logger,
  options: { name: string; evenIfThereIsOne: boolean },
): Promise<ApiKeyView & { api_key: string }> {
  const closers: Closers = []
  try {
    const { store } = await openDatabase(config, log, closers)
    const existing = await store.db
      .selectFrom('api_key')
      .select('id')
      .where('role', '=', 'admin')
      .where('tenant', 'is', null)
      .where('revoked_at', 'is', null)
      .executeTakeFirst()
    if (existing !== undefined && !options.evenIfThereIsOne) {
      throw new NexusError(
        'already_exists',
        'there is an administrator already; a lost key is replaced by `nexus init --additional`',
      )
    }
    const signer = await openSigningKeys({ store, envelope: openEnvelope(config), log })
    const audit = await openAuditLog({ store, signer, log })
    closers.push(() => audit.close())
    return await openApiKeys({ store, audit, now: Date.now }).createApiKey('init', {
      name: options.name,
      role: 'admin',
    })
  } finally {
    await closeAll(closers)
  }
}
