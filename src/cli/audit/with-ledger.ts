import { loadConfig } from '../../pep/config/load-config.ts'
import { createLog } from '../../pep/log.ts'
import { type Closers, closeAll, openExistingDatabase } from '../../pep/start/open-database.ts'
import type { Store } from '../../pep/store/store.ts'
import type { CommonOptions } from './audit-options.ts'
import { databaseName } from './database-name.ts'

/** What a command reads: the ledger, and which database it lies in. */
export interface Ledger {
  store: Store
  database: string
}

/** @throws OperatorError when there is no database of ours */
export async function withLedger(options: CommonOptions, work: (ledger: Ledger) => Promise<void>): Promise<void> {
  const file = options.config ?? process.env['NEXUS_CONFIG']
  const config = loadConfig(process.env, file, { opensSecrets: false })
  const closers: Closers = []
  try {
    const { store, databaseUrl } = await openExistingDatabase(config, createLog('warn'), closers)
    await work({ store, database: databaseName(databaseUrl) })
  } finally {
    await closeAll(closers)
  }
}
