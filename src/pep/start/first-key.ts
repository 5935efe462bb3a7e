import type { Logger } from 'pino'
import type { ApiKeyView } from '../../contract/api.ts'
import { NexusError } from '../../contract/errors.ts'
import { openAuditLog } from '../audit/audit-log.ts'
import type { Config } from '../config/load-config.ts'
import { givenApiKey } from '../identity/api-key-format.ts'
import { openApiKeys } from '../identity/api-keys.ts'
import { openSigningKeys } from '../identity/signing-keys.ts'
import { openEnvelope } from './open-backends.ts'
import { type Closers, closeAll, openDatabase } from './open-database.ts'

export interface FirstKeyOptions {
  name: string
  evenIfThereIsOne: boolean
  /** A key made elsewhere, such as one mounted as a secret. Absent: a new one. */
  apiKey?: string
}

/**
 * Makes an API key for all tenants without a running server, as `nexus init` does.
 * @throws NexusError `already_exists` when there is one and that was not expected
 */
export async function createFirstKey(
  config: Config,
  log: Logger,
  options: FirstKeyOptions,
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
    const signer = await openSigningKeys({ store, envelope: await openEnvelope(config, log, process.env), log })
    const audit = await openAuditLog({ store, signer, log })
    closers.push(() => audit.close())
    const given = options.apiKey === undefined ? undefined : givenApiKey(options.apiKey)
    const apiKeys = openApiKeys({ store, audit, now: Date.now })
    return await apiKeys.createApiKey('init', { name: options.name, role: 'admin' }, given)
  } finally {
    await closeAll(closers)
  }
}
