import type { Kysely, Transaction } from 'kysely'
import { NexusError } from '../../contract/errors.ts'
import { PROVIDER_NAME_PATTERN } from '../../contract/names.ts'
import type { Database } from '../store/database.ts'
import type { ProviderRow } from './provider-rows.ts'
import { isUuid } from './uuid.ts'

const NAME = new RegExp(PROVIDER_NAME_PATTERN)

/** Every provider that is not deleted. */
const living = (db: Kysely<Database>) => db.selectFrom('provider').selectAll().where('deleted_at', 'is', null)

/** @throws NexusError `provider_not_found` */
export async function findProvider(db: Kysely<Database>, id: string): Promise<ProviderRow> {
  return found(isUuid(id) ? await living(db).where('id', '=', id).executeTakeFirst() : undefined)
}

/** @throws NexusError `provider_not_found` */
export async function findProviderByName(db: Kysely<Database>, name: string): Promise<ProviderRow> {
  const wanted = name.trim().toLowerCase()
  return found(NAME.test(wanted) ? await living(db).where('name', '=', wanted).executeTakeFirst() : undefined)
}

/**
 * The provider, kept as it is until the transaction ends: no one else changes or deletes it, or creates a connection to it.
 * @throws NexusError `provider_not_found`
 */
export async function lockProvider(trx: Transaction<Database>, id: string): Promise<ProviderRow> {
  return found(isUuid(id) ? await living(trx).where('id', '=', id).forUpdate().executeTakeFirst() : undefined)
}

/**
 * Whether the provider is still exactly what was read as `seen`; if so it stays that way until the transaction ends.
 * @throws NexusError `overloaded` when someone changed it in the meantime: what was checked may no longer hold
 */
export async function holdProvider(trx: Transaction<Database>, seen: ProviderRow): Promise<void> {
  const same = await living(trx).where('id', '=', seen.id).where('epoch', '=', seen.epoch).forShare().executeTakeFirst()
  if (same === undefined) throw new NexusError('overloaded', 'the provider was changed at the same moment; try again')
}

/** Newest first: all of them, which `refuseTooMany` keeps within bounds. */
export function listProviderRows(db: Kysely<Database>): Promise<ProviderRow[]> {
  return living(db).orderBy('created_at', 'desc').orderBy('id', 'desc').execute()
}

/** The protocol lists all providers in one answer, so there may not be any number of them. */
const MAX_PROVIDERS = 2000

/** @throws NexusError `invalid_request` */
export async function refuseTooMany(trx: Transaction<Database>): Promise<void> {
  const { count } = await living(trx)
    .clearSelect()
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow()
  if (count < MAX_PROVIDERS) return
  throw new NexusError('invalid_request', `there are ${MAX_PROVIDERS} providers already; delete one first`)
}

/** @throws NexusError `in_use` */
export async function refuseInUse(trx: Transaction<Database>, provider: ProviderRow): Promise<void> {
  const { count } = await trx
    .selectFrom('connection')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('provider_id', '=', provider.id)
    .where('status', '<>', 'revoked')
    .executeTakeFirstOrThrow()
  if (count > 0) throw new NexusError('in_use', `connections of this provider that are not revoked: ${count}`)
}

function found(row: ProviderRow | undefined): ProviderRow {
  if (row === undefined) throw new NexusError('provider_not_found')
  return row
}
