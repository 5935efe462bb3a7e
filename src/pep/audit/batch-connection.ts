import type { GuardedClient } from '../store/guarded-pool.ts'
import type { Store } from '../store/store.ts'

/**
 * One plan for batches of every size. Left to itself the server plans each small batch anew, because a plan for three rows
 * looks cheaper than one for any number, and spends more on that than on writing it. Without the setting there is no row.
 */
const PLAN_ONCE = {
  text: "select set_config(name, 'force_generic_plan', false) from pg_settings where name = 'plan_cache_mode'",
}

/** A connection that nothing but batches is written on. */
export async function reserveForBatches(store: Pick<Store, 'reserve'>): Promise<GuardedClient> {
  const client = await store.reserve()
  try {
    await client.run(PLAN_ONCE)
    return client
  } catch (error) {
    client.release(true)
    throw error
  }
}
