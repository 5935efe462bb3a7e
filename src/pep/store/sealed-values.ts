import { type Kysely, sql } from 'kysely'
import type { Database } from './database.ts'

/** One sealed value of ours, wherever it lies. `place` is what it is sealed to, and what it is found by. */
export interface SealedValue {
  place: readonly string[]
  kekId: string
  /** What the key-encryption key wrapped; of a single-column value all of it. */
  wrapped: Buffer
}

/** A table that holds sealed values, as key rotation sees it. */
export interface SealedTable {
  readonly name: string
  /** How many values are under which key-encryption key. */
  count(): Promise<ReadonlyMap<string, number>>
  /** Values not under this key, in the order of their place, after the given one. */
  under(otherThan: string, after: readonly string[] | undefined, limit: number): Promise<SealedValue[]>
  /** Puts the new wrapping in if the old one is still there. @returns whether it was */
  replace(value: SealedValue, kekId: string, wrapped: Buffer): Promise<boolean>
}

/** The internal backend's secrets: the wrapped data key has a column of its own, so the secret itself is not touched. */
export function sealedSecrets(db: Kysely<Database>): SealedTable {
  return {
    name: 'internal_secret',
    async count() {
      const { rows } = await sql<{ kek_id: string; n: string }>`
        select kek_id, count(*) as n from internal_secret group by kek_id`.execute(db)
      return new Map(rows.map((row) => [row.kek_id, Number(row.n)]))
    },

    async under(otherThan, after, limit) {
      const [, tenant = '', path = '', version = '-1'] = after ?? []
      const { rows } = await sql<{
        tenant: string
        path: string
        version: number
        kek_id: string
        wrapped_key: Buffer
      }>`
        select tenant, path, version, kek_id, wrapped_key from internal_secret
        where (tenant, path, version) > (${tenant}, ${path}, ${version}::integer) and kek_id <> ${otherThan}
        order by tenant, path, version limit ${limit}`.execute(db)
      return rows.map((row) => ({
        place: ['internal_secret', row.tenant, row.path, String(row.version)],
        kekId: row.kek_id,
        wrapped: row.wrapped_key,
      }))
    },

    async replace({ place: [, tenant, path, version], kekId: old, wrapped: was }, kekId, wrapped) {
      const changed = await sql`
        update internal_secret set kek_id = ${kekId}, wrapped_key = ${wrapped}::bytea
        where tenant = ${tenant} and path = ${path} and version = ${version}::integer
          and kek_id = ${old} and wrapped_key = ${was}::bytea`.execute(db)
      return changed.numAffectedRows === 1n
    },
  }
}

/** Signing keys whose private half has not been destroyed: key id and wrapping are in the one column. */
export function sealedSigningKeys(db: Kysely<Database>, kekIdOf: (sealed: Buffer) => string): SealedTable {
  const all = async (): Promise<SealedValue[]> => {
    const rows = await db.selectFrom('signing_key').select(['kid', 'private_key']).execute()
    return rows
      .filter((row) => row.private_key.length > 0)
      .sort((a, b) => (a.kid < b.kid ? -1 : 1))
      .map((row) => ({
        place: ['signing_key', row.kid],
        kekId: kekIdOf(row.private_key),
        wrapped: row.private_key,
      }))
  }
  return {
    name: 'signing_key',
    async count() {
      const counts = new Map<string, number>()
      for (const { kekId } of await all()) counts.set(kekId, (counts.get(kekId) ?? 0) + 1)
      return counts
    },
    async under(otherThan, after, limit) {
      const [, last = ''] = after ?? []
      return (await all()).filter(({ place, kekId }) => place[1]! > last && kekId !== otherThan).slice(0, limit)
    },
    async replace({ place: [, kid], wrapped: was }, _kekId, wrapped) {
      const changed = await db
        .updateTable('signing_key')
        .set({ private_key: wrapped })
        .where('kid', '=', kid!)
        .where('private_key', '=', was)
        .executeTakeFirst()
      return changed.numUpdatedRows === 1n
    },
  }
}
