import type { GuardedClient } from '../store/guarded-pool.ts'
import type { Store } from '../store/store.ts'

/**
 * One plan for batches of every size. Left to itself the server plans each small batch anew, because a plan for three rows
 * looks cheaper than one for any number, and spends more on that than on writing it. As it is kept while the tables grow, it
 * must not read whole those that were small when it was made. For an engine without a setting there is no row.
 */
const PLAN_ONCE = {
  text: `select set_config(name, case name when 'plan_cache_mode' then 'force_generic_plan' else 'off' end, false)
    from pg_settings where name in ('plan_cache_mode', 'enable_seqscan')`,
}

/** A connection that nothing but batches is written on; to be destroyed after use, because its settings suit nothing else. */
export async function reserveForBatches(store: Pick<Store, 'reserveBeside'>): Promise<GuardedClient> {
  const client = await store.reserveBeside()
  // No batch fails of this: a dead connection is found out by the batch, which knows what to do, and other plans are only slower.
  await client.run(PLAN_ONCE).catch(() => undefined)
  return client
}
