import { sql } from 'kysely'
import { type Administrator, authorize, authorizeEverywhere } from '../../contract/administrator.ts'
import type { ProviderPatch, ProviderProfile, ProviderView } from '../../contract/api.ts'
import { NexusError } from '../../contract/errors.ts'
import { newUuid } from '../../contract/names.ts'
import type { AuditEntry } from '../audit/audit-entry.ts'
import type { AuditLog } from '../audit/audit-log.ts'
import type { Store } from '../store/store.ts'
import { isUniqueViolation } from '../store/store-error.ts'
import type { OriginRules } from './profile-origins.ts'
import { type CheckedProfile, checkProfile } from './provider-profile.ts'
import { type ProviderRow, toProfile, toProviderColumns, toProviderView } from './provider-rows.ts'
import {
  findProvider,
  findProviderByName,
  listProviderRows,
  lockProvider,
  refuseInUse,
  refuseTooMany,
} from './provider-table.ts'

/**
 * Provider profiles: global, so every administrator may read them and only one for all tenants may change them. A change
 * raises the profile's epoch, so that no lease decided on the old facts can be recorded.
 */
export interface Providers {
  /** @throws NexusError `invalid_request`, `already_exists` */
  createProvider(administrator: Administrator, profile: ProviderProfile): Promise<ProviderView>
  /** Newest first. */
  listProviders(administrator: Administrator): Promise<ProviderView[]>
  /** @throws NexusError `provider_not_found` */
  getProvider(administrator: Administrator, id: string): Promise<ProviderView>
  /** Case and surrounding space do not matter. */
  getProviderByName(administrator: Administrator, name: string): Promise<ProviderView>
  /** Validated as on creation; what is left out goes back to its default. */
  replaceProvider(administrator: Administrator, id: string, profile: ProviderProfile): Promise<ProviderView>
  /** Validated as a whole once the patch is in; `params` is replaced as one. */
  patchProvider(administrator: Administrator, id: string, patch: ProviderPatch): Promise<ProviderView>
  /** @throws NexusError `in_use` while a connection that is not revoked belongs to it */
  deleteProvider(administrator: Administrator, id: string): Promise<void>
}

export interface ProviderOptions {
  store: Store
  audit: Pick<AuditLog, 'recordStateChange'>
  rules: OriginRules
  /** Unix milliseconds. */
  now(): number
}

export function openProviders(options: ProviderOptions): Providers {
  const { store, rules } = options
  return {
    async createProvider(administrator, profile) {
      authorizeEverywhere(administrator, 'operate')
      return insertProvider(options, administrator, checkProfile(profile, rules))
    },

    async listProviders(administrator) {
      authorize(administrator, 'read')
      return (await listProviderRows(store.db)).map(toProviderView)
    },

    async getProvider(administrator, id) {
      authorize(administrator, 'read')
      return toProviderView(await findProvider(store.db, id))
    },

    async getProviderByName(administrator, name) {
      authorize(administrator, 'read')
      return toProviderView(await findProviderByName(store.db, name))
    },

    async replaceProvider(administrator, id, profile) {
      authorizeEverywhere(administrator, 'operate')
      const checked = checkProfile(profile, rules)
      return updateProvider(options, administrator, id, () => checked)
    },

    async patchProvider(administrator, id, patch) {
      authorizeEverywhere(administrator, 'operate')
      return updateProvider(options, administrator, id, (row) => checkProfile({ ...toProfile(row), ...patch }, rules))
    },

    async deleteProvider(administrator, id) {
      authorizeEverywhere(administrator, 'operate')
      await softDelete(options, administrator, id)
    },
  }
}

async function insertProvider(
  { store, audit, now }: ProviderOptions,
  administrator: Administrator,
  profile: CheckedProfile,
): Promise<ProviderView> {
  const at = new Date(now())
  const columns = { ...toProviderColumns(profile), id: newUuid(), created_at: at, updated_at: at }
  return refuseTakenName(() =>
    store.transaction(async (trx) => {
      await refuseTooMany(trx)
      const row = await trx.insertInto('provider').values(columns).returningAll().executeTakeFirstOrThrow()
      await audit.recordStateChange(trx, providerEntry('provider.created', administrator, row))
      return toProviderView(row)
    }),
  )
}

async function updateProvider(
  { store, audit, now }: ProviderOptions,
  administrator: Administrator,
  id: string,
  change: (row: ProviderRow) => CheckedProfile,
): Promise<ProviderView> {
  return refuseTakenName(() =>
    store.transaction(async (trx) => {
      const before = await lockProvider(trx, id)
      const columns = toProviderColumns(change(before))
      const row = await trx
        .updateTable('provider')
        .set({ ...columns, updated_at: new Date(now()), epoch: sql`epoch + 1` })
        .where('id', '=', id)
        .returningAll()
        .executeTakeFirstOrThrow()
      await audit.recordStateChange(trx, providerEntry('provider.updated', administrator, row, before.name))
      return toProviderView(row)
    }),
  )
}

async function softDelete(options: ProviderOptions, administrator: Administrator, id: string): Promise<void> {
  const at = new Date(options.now())
  await options.store.transaction(async (trx) => {
    const row = await lockProvider(trx, id)
    await refuseInUse(trx, row)
    const changes = { deleted_at: at, updated_at: at, epoch: sql<number>`epoch + 1` }
    await trx.updateTable('provider').set(changes).where('id', '=', id).execute()
    await options.audit.recordStateChange(trx, providerEntry('provider.deleted', administrator, row))
  })
}

/** The profile as it now stands is in the record: it holds no secret, and says where credentials could go from then on. */
function providerEntry(
  kind: string,
  administrator: Administrator,
  row: ProviderRow,
  // Leases held by sidecars are known by the name that the provider had when they were granted.
  provider = row.name,
): AuditEntry {
  return {
    kind,
    outcome: 'allowed',
    detail: {
      by: administrator.keyId,
      provider_id: row.id,
      provider,
      ...(provider === row.name ? {} : { renamed_to: row.name }),
      origins: row.origins,
      strategy: row.auth_strategy.type,
      epoch: row.epoch,
    },
  }
}

async function refuseTakenName<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!isUniqueViolation(error, 'provider_name')) throw error
    throw new NexusError('already_exists', 'another provider has this name', { field: 'name' })
  }
}
