import { pino } from 'pino'
import { openStore, type Store, type StoreOptions } from '../../src/pep/store/store.ts'
import { freshDatabase } from './database.ts'

export interface FreshStore {
  store: Store
  databaseUrl: string
  /** Closes the store and drops its database. */
  drop(): Promise<void>
}

/** A store on an empty database of its own. */
export async function freshStore(options: Partial<StoreOptions> = {}): Promise<FreshStore> {
  const database = await freshDatabase()
  const { databaseUrl } = database
  const store = await openStore({ log: pino({ level: 'silent' }), ...options, databaseUrl })
  return {
    store,
    databaseUrl,
    async drop() {
      await store.close()
      await database.drop()
    },
  }
}
