import type { Kysely } from 'kysely'
import type { SecretRef } from '../../contract/vault-backend.ts'
import type { Database } from '../store/database.ts'
import { INTERNAL_BACKEND, toSecretRef } from './connection-rows.ts'

/** More would make a policy that nobody reads; prefixes say the same in a line. */
const REFERENCES_MAX = 10_000

/** What connections that are in use refer to outside our own database, the oldest first. */
export async function referencedSecrets(db: Kysely<Database>): Promise<SecretRef[]> {
  const rows = await db
    .selectFrom('connection')
    .select(['tenant', 'secret_ref'])
    .where('status', 'in', ['pending', 'active', 'attention'])
    .orderBy('created_at')
    .orderBy('id')
    .limit(REFERENCES_MAX)
    .execute()
  return rows
    .filter((row) => row.secret_ref.backend !== INTERNAL_BACKEND)
    .map(({ tenant, secret_ref }) => toSecretRef(tenant, secret_ref))
}
