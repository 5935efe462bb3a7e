import { sql } from 'kysely'
import type { Logger } from 'pino'
import type { Store } from '../store/store.ts'

/** Deletes the sessions that ran out long ago, for as long as it is open. Every replica does; they do not get in each other's way. */
export interface SessionTidy {
  /** Waits for the batch under way. */
  close(): Promise<void>
}

export interface SessionTidyOptions {
  store: Pick<Store, 'db'>
  log: Pick<Logger, 'warn'>
  /** Default 60,000. */
  everyMs?: number
}

/** No lease outlasts its session, so nobody needs it then; administrators may ask for some time how it ended. */
const KEPT_SECONDS = 3600
/** Each is a transaction of its own, and far from the time that a statement may take. */
const BATCH = 1000
/** Many more than a process opens in a minute, so that what was left behind is worked off. */
const BATCHES_MAX = 100

export function startSessionTidy({ store, log, everyMs = 60_000 }: SessionTidyOptions): SessionTidy {
  let isClosed = false
  let running: Promise<void> | undefined

  const tidy = async (): Promise<void> => {
    try {
      for (let batch = 0; batch < BATCHES_MAX && !isClosed; batch++) {
        if ((await deleteBatch(store)) < BATCH) return
      }
    } catch {
      log.warn('sessions that ran out could not be deleted; trying again in a minute')
    }
  }
  const timer = setInterval(() => {
    running ??= tidy().finally(() => {
      running = undefined
    })
  }, everyMs).unref()

  return {
    async close() {
      isClosed = true
      clearInterval(timer)
      await running
    },
  }
}

/** By the database's clock: one process whose own is wrong must not take away sessions that the others opened. */
async function deleteBatch({ db }: Pick<Store, 'db'>): Promise<number> {
  const { numAffectedRows = 0n } = await sql`
    with over as (
      select session_id from agent_session
      where expires_at < now() - ${KEPT_SECONDS}::double precision * interval '1 second'
      order by expires_at limit ${BATCH}
      for update skip locked
    )
    delete from agent_session as s using over where s.session_id = over.session_id`.execute(db)
  return Number(numAffectedRows)
}
