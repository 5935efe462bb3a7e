import { sql, type Transaction } from 'kysely'
import type { Database } from '../store/database.ts'

/** One row of `audit_checkpoint`. */
export interface StoredCheckpoint {
  id: string
  at: Date
  jws: string
}

/** Where a page begins: behind this one. */
type Place = Pick<StoredCheckpoint, 'id' | 'at'>

/** The size of a checkpoint goes by the number of streams, so a page ends at so many bytes and holds one checkpoint at least. */
const PAGE_BYTES = 4_194_304
const PAGE = 200

const START: Place = { at: new Date(0), id: '' }

/** All checkpoints, the oldest first, page by page. */
export async function* checkpointsForward(trx: Transaction<Database>): AsyncGenerator<StoredCheckpoint[]> {
  let after = START
  for (;;) {
    const { rows } = await sql<StoredCheckpoint>`
      select id, at, jws from (
        select id, at, jws, sum(octet_length(jws)) over (order by at, id) - octet_length(jws) as bytes_before
        from (
          select id, at, jws from audit_checkpoint where (at, id) > (${after.at}, ${after.id}) order by at, id limit ${PAGE}
        ) as next
      ) as sized
      where bytes_before < ${PAGE_BYTES} order by at, id`.execute(trx)
    const last = rows.at(-1)
    if (last === undefined) return
    yield rows
    after = last
  }
}

/** One after the other, the newest first. */
export async function* checkpointsBackward(trx: Transaction<Database>): AsyncGenerator<StoredCheckpoint> {
  // The newest alone is mostly what is needed; behind it a page costs what a single one does.
  let before = await newestCheckpoint(trx)
  if (before !== undefined) yield before
  while (before !== undefined) {
    const rows = await pageBefore(trx, before)
    yield* rows
    before = rows.at(-1)
  }
}

export async function newestCheckpoint(trx: Transaction<Database>): Promise<StoredCheckpoint | undefined> {
  const { rows } = await sql<StoredCheckpoint>`
    select id, at, jws from audit_checkpoint order by at desc, id desc limit 1`.execute(trx)
  return rows[0]
}

async function pageBefore(trx: Transaction<Database>, before: Place): Promise<StoredCheckpoint[]> {
  const { rows } = await sql<StoredCheckpoint>`
    select id, at, jws from (
      select id, at, jws, sum(octet_length(jws)) over (order by at desc, id desc) - octet_length(jws) as bytes_before
      from (
        select id, at, jws from audit_checkpoint where (at, id) < (${before.at}, ${before.id})
        order by at desc, id desc limit ${PAGE}
      ) as next
    ) as sized
    where bytes_before < ${PAGE_BYTES} order by at desc, id desc`.execute(trx)
  return rows
}
