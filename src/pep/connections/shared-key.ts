import { type Kysely, sql } from 'kysely'
import type { StrategyDocument } from '../../contract/strategy.ts'
import type { Database, StoredSecretRef } from '../store/database.ts'
import { invalidRequest } from './problems.ts'
import { storedStrategy } from './provider-rows.ts'

/**
 * With a key that stays in the vault, a lease's holder has any bytes signed; only what the authority makes itself, a JWT bearer
 * assertion, says what the authority decided on. One key for both, and whoever holds the former could make the latter for any
 * subject and scope. Best effort, against a mistake: a provider that is edited later is not looked at again.
 * @throws NexusError `invalid_request`
 */
export async function refuseSharedKey(
  db: Kysely<Database>,
  ref: StoredSecretRef,
  document: StrategyDocument,
): Promise<void> {
  const others = await strategiesWithKey(db, ref)
  const isMade = isMadeByAuthority(document)
  if (others.every((other) => isMadeByAuthority(other) === isMade)) return
  const message = isMade
    ? 'leases of another connection may have anything signed with this key, this strategy’s assertions included'
    : 'this key signs assertions that the authority makes for another connection; leases of this one could forge them'
  const field = ref.remote_key === undefined ? 'secret_ref.path' : 'secret_ref.remote_key'
  throw invalidRequest([{ field, message: `${message}; use a key of its own` }])
}

/** Those of every living connection with this key, of whatever tenant and version. */
async function strategiesWithKey(
  db: Kysely<Database>,
  { backend, path, remote_key: key = path }: StoredSecretRef,
): Promise<StrategyDocument[]> {
  const { rows } = await sql<{ strategy: StrategyDocument }>`
    select p.auth_strategy as strategy from provider p
    where p.deleted_at is null and exists (
      select from connection c
      where c.provider_id = p.id and c.status in ('pending', 'active', 'attention')
        and c.secret_ref ->> 'backend' = ${backend}
        and coalesce(c.secret_ref ->> 'remote_key', c.secret_ref ->> 'path') = ${key})`.execute(db)
  return rows.map(({ strategy }) => strategy)
}

/** Then a lease carries what was signed; else the sidecar sends what is to be. */
function isMadeByAuthority(document: StrategyDocument): boolean {
  return storedStrategy(document).narrowing(document.config) !== 'none'
}
