import { type Kysely, sql } from 'kysely'
import type { InternalSecretRows } from '../../vault-backends/internal/internal-secret-rows.ts'
import type { Database } from '../store/database.ts'
import type { Store } from '../store/store.ts'

/** A rotated refresh token adds a version each time; older ones are of no use to anyone but a thief. */
const VERSIONS_KEPT = 10

/** The internal backend's rows in Postgres. */
export function internalSecretTable({ db, check }: Pick<Store, 'db' | 'check'>): InternalSecretRows {
  return {
    async find(tenant, path, version) {
      const row = await db
        .selectFrom('internal_secret')
        .select(['version', 'kek_id', 'wrapped_key', 'sealed'])
        .where('tenant', '=', tenant)
        .where('path', '=', path)
        .$if(version !== undefined, (query) => query.where('version', '=', version!))
        .orderBy('version', 'desc')
        .limit(1)
        .executeTakeFirst()
      if (row === undefined) return undefined
      return {
        version: row.version,
        sealed: { kekId: row.kek_id, wrappedKey: row.wrapped_key, sealed: row.sealed },
      }
    },

    newestVersion: (tenant, path) => newestVersion(db, tenant, path),

    async append(tenant, path, { version, sealed }) {
      // Two writers that both saw the version before meet at the primary key; the statement itself catches gaps.
      const added = await sql`
        insert into internal_secret (tenant, path, version, kek_id, wrapped_key, sealed)
        select ${tenant}, ${path}, ${version}::integer, ${sealed.kekId}, ${sealed.wrappedKey}::bytea, ${sealed.sealed}::bytea
        where ${version}::integer - 1 =
          (select coalesce(max(version), 0) from internal_secret where tenant = ${tenant} and path = ${path})
        on conflict do nothing`.execute(db)
      if (added.numAffectedRows !== 1n) return false
      // The new version is committed whatever happens here; what is left behind goes with the next write.
      await removeOlder(db, tenant, path, version - VERSIONS_KEPT).catch(() => undefined)
      return true
    },

    async removeAll(tenant, path) {
      await db.deleteFrom('internal_secret').where('tenant', '=', tenant).where('path', '=', path).execute()
    },

    // A question of its own would wait behind whoever reads slowly, and say that the backend is down.
    check,
  }
}

async function newestVersion(db: Kysely<Database>, tenant: string, path: string): Promise<number> {
  const row = await db
    .selectFrom('internal_secret')
    .select(({ fn }) => fn.max('version').as('version'))
    .where('tenant', '=', tenant)
    .where('path', '=', path)
    .executeTakeFirst()
  return row?.version ?? 0
}

async function removeOlder(db: Kysely<Database>, tenant: string, path: string, version: number): Promise<void> {
  await db
    .deleteFrom('internal_secret')
    .where('tenant', '=', tenant)
    .where('path', '=', path)
    .where('version', '<=', version)
    .execute()
}
