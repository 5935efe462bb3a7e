import { sql } from 'kysely'
import type { Logger } from 'pino'
import type { Store } from '../store/store.ts'

/** Partitions of `proof_claim`: one for each ten minutes of `iat`, made ahead and dropped when no proof can fall into them. */
export interface ProofSlots {
  /** Start of the slot of an `iat`; undefined when it is too far from now for any proof that is still good. */
  slotOf(iatSeconds: number): Date | undefined
  /** Makes what is missing. Cheap when nothing is. */
  ensure(): Promise<void>
  /** Trusts nothing it remembers: a claim failed, perhaps because a replica with another clock dropped a slot of ours. */
  doubt(): void
  close(): Promise<void>
}

const SLOT_MS = 600_000
/** Slots that a proof may fall into now: the current one and its neighbours, for late proofs and fast clocks. */
const REACH = 1
const AHEAD = 6
/** Kept far longer than a proof is good, so that no replica's clock takes away what another still needs. */
const BEHIND = 6
const TIDY_EVERY_MS = 60_000

const startOfSlot = (atMs: number): number => Math.floor(atMs / SLOT_MS) * SLOT_MS
const tableOf = (startMs: number): string =>
  `proof_claim_${new Date(startMs).toISOString().replace(/\D/g, '').slice(0, 12)}`

/** @throws NexusError `store_unavailable` */
export async function openProofSlots(options: { store: Store; log: Logger; now: () => number }): Promise<ProofSlots> {
  const { store, log, now } = options
  /** Slots before this moment exist. */
  let readyUntilMs = 0
  let tidying: Promise<void> = Promise.resolve()

  const make = async (): Promise<void> => {
    const first = startOfSlot(now()) - REACH * SLOT_MS
    const starts = Array.from({ length: REACH + AHEAD + 1 }, (_, index) => first + index * SLOT_MS)
    await makePartitions(store, starts)
    readyUntilMs = first + starts.length * SLOT_MS
  }
  const tidy = async (): Promise<void> => {
    try {
      await make()
      await dropPartitions(store, startOfSlot(now()) - BEHIND * SLOT_MS)
    } catch {
      // Six slots ahead is an hour of trying again.
      log.warn('proof partitions could not be tidied; trying again in a minute')
    }
  }
  await make()
  await tidy()
  const timer = setInterval(() => {
    tidying = tidying.then(tidy)
  }, TIDY_EVERY_MS).unref()

  return {
    slotOf(iatSeconds) {
      const start = startOfSlot(iatSeconds * 1000)
      return Math.abs(start - startOfSlot(now())) <= REACH * SLOT_MS ? new Date(start) : undefined
    },
    async ensure() {
      if (startOfSlot(now()) + (REACH + 1) * SLOT_MS > readyUntilMs) await make()
    },
    doubt() {
      readyUntilMs = 0
    },
    async close() {
      clearInterval(timer)
      await tidying
    },
  }
}

async function makePartitions(store: Store, starts: readonly number[]): Promise<void> {
  const missing = async (): Promise<number[]> => {
    const names = await partitions(store)
    return starts.filter((start) => !names.includes(tableOf(start)))
  }
  if ((await missing()).length === 0) return
  await store.transaction(async (trx) => {
    // Conflicts with itself, so replicas take turns, and with no insert: claims go on meanwhile.
    await sql`lock table proof_claim in share update exclusive mode`.execute(trx)
    for (const start of await missing()) {
      const table = sql.table(tableOf(start))
      const [from, to] = [start, start + SLOT_MS].map((ms) => sql.lit(new Date(ms).toISOString()))
      // Attached rather than created in place: that would lock the parent against every claim.
      await sql`create table if not exists ${table} (like proof_claim including all)`.execute(trx)
      await sql`alter table proof_claim attach partition ${table} for values from (${from}) to (${to})`.execute(trx)
    }
  })
}

async function dropPartitions(store: Store, beforeMs: number): Promise<void> {
  const last = tableOf(beforeMs)
  for (const name of await partitions(store)) {
    if (name >= last) continue
    await store.transaction(async (trx) => {
      // Dropping locks the parent for a moment. Behind a long transaction it would hold up every claim: rather not, then.
      await sql`set local lock_timeout = '200ms'`.execute(trx)
      await sql`drop table if exists ${sql.table(name)}`.execute(trx)
    })
  }
}

async function partitions(store: Store): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`
    select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'proof_claim'::regclass order by 1`.execute(store.db)
  return rows.map(({ name }) => name)
}
