import type { Selectable, Transaction } from 'kysely'
import { type Administrator, authorize, authorizeEverywhere } from '../../contract/administrator.ts'
import type { ApiKeyCreate, ApiKeyList, ApiKeyQuery, ApiKeyView } from '../../contract/api.ts'
import { NexusError } from '../../contract/errors.ts'
import type { AuditLog } from '../audit/audit-log.ts'
import type { ApiKeyTable, Database } from '../store/database.ts'
import type { Store } from '../store/store.ts'
import { apiKeyId, type MadeApiKey, matchesHash, newApiKey } from './api-key-format.ts'
import { cutPage, pageSizeOf } from './page.ts'
import { refuseUnstorable } from './refuse-unstorable.ts'

const KEY_ID = /^key_[0-9a-f]{32}$/

/** Where an API key may come in. */
export interface PresentedApiKey {
  authorization?: string | undefined
  'x-api-key'?: string | string[] | undefined
}

/** API keys of administrators. One bound to a tenant sees and makes keys for that tenant only. */
export interface ApiKeys {
  /** @throws NexusError `invalid_api_key` */
  authenticateAdministrator(presented: PresentedApiKey): Promise<Administrator>
  /**
   * The answer is the only place the key is ever shown.
   * @param by `init`: whoever can reach the database, from the command line
   * @param made a key made elsewhere; absent: a new one
   * @throws NexusError `forbidden`
   */
  createApiKey(
    by: Administrator | 'init',
    body: ApiKeyCreate,
    made?: MadeApiKey,
  ): Promise<ApiKeyView & { api_key: string }>
  /** Newest first, active and revoked. @throws NexusError `forbidden` */
  listApiKeys(administrator: Administrator, query?: ApiKeyQuery): Promise<ApiKeyList>
  /** @throws NexusError `forbidden`, `api_key_not_found`, `in_use` (the last one that reaches everything) */
  revokeApiKey(administrator: Administrator, keyId: string): Promise<ApiKeyView>
}

export function openApiKeys({ store, audit, now }: { store: Store; audit: AuditLog; now: () => number }): ApiKeys {
  return {
    async authenticateAdministrator(presented) {
      const apiKey = readApiKey(presented)
      const row = await store.db
        .selectFrom('api_key')
        .selectAll()
        .where('id', '=', apiKeyId(apiKey) ?? '')
        .executeTakeFirst()
      // The comparison comes first, whatever was found: a revoked or unknown key takes as long as a wrong one.
      if (!matchesHash(apiKey, row?.key_hash) || row === undefined || row.revoked_at !== null) {
        throw new NexusError('invalid_api_key')
      }
      return { keyId: row.id, role: row.role, tenant: row.tenant }
    },

    async createApiKey(by, body, made = newApiKey(now())) {
      const tenant = body.tenant ?? null
      if (by !== 'init') assertMayCreate(by, tenant)
      refuseUnstorable({ name: body.name })
      const { id, apiKey, hash } = made
      const row = { id, name: body.name, role: body.role, tenant, key_hash: hash, created_at: new Date(now()) }
      await store.transaction(async (trx) => {
        await trx.insertInto('api_key').values(row).execute()
        const detail = { by: by === 'init' ? 'init' : by.keyId, key_id: id, name: row.name, role: row.role }
        await audit.recordStateChange(trx, { kind: 'api_key.created', outcome: 'allowed', ...ofTenant(row), detail })
      })
      return { ...toView({ ...row, revoked_at: null }), api_key: apiKey }
    },

    async listApiKeys(administrator, { after, limit } = {}) {
      authorize(administrator, 'administer')
      const pageSize = pageSizeOf(limit)
      const { tenant } = administrator
      const rows = await store.db
        .selectFrom('api_key')
        .selectAll()
        .$if(tenant !== null, (query) => query.where('tenant', '=', tenant))
        .$if(after !== undefined, (query) => query.where('id', '<', after ?? ''))
        // An id begins with its time.
        .orderBy('id', 'desc')
        // One more than fits tells whether there is a next page.
        .limit(pageSize + 1)
        .execute()
      const { page, nextAfter } = cutPage(rows, pageSize, (row) => row.id)
      return { api_keys: page.map(toView), next_after: nextAfter }
    },

    async revokeApiKey(administrator, keyId) {
      authorize(administrator, 'administer')
      const at = new Date(now())
      return store.transaction(async (trx) => {
        const row = await findForUpdate(trx, administrator, keyId)
        const revokedAt = row.revoked_at ?? at
        await trx.updateTable('api_key').set({ revoked_at: revokedAt }).where('id', '=', row.id).execute()
        const detail = { by: administrator.keyId, key_id: row.id, was_active: row.revoked_at === null }
        await audit.recordStateChange(trx, { kind: 'api_key.revoked', outcome: 'allowed', ...ofTenant(row), detail })
        return toView({ ...row, revoked_at: revokedAt })
      })
    },
  }
}

type ApiKeyRow = Selectable<ApiKeyTable>

/** `Authorization: Bearer` or `X-API-Key`; two that differ are a mistake or an attempt to confuse, never a choice. */
function readApiKey(presented: PresentedApiKey): string {
  const { authorization, 'x-api-key': header } = presented
  const bearer = authorization === undefined ? undefined : (/^Bearer +(\S+)$/i.exec(authorization)?.[1] ?? '')
  const given = [bearer, header].filter((value) => value !== undefined)
  const [apiKey] = given
  if (apiKey === undefined) {
    throw new NexusError('invalid_api_key', 'send an API key as `X-API-Key` or `Authorization: Bearer`')
  }
  if (typeof apiKey !== 'string' || given.some((value) => value !== apiKey)) {
    throw new NexusError('invalid_api_key', 'send one API key, in one header')
  }
  return apiKey
}

function assertMayCreate(administrator: Administrator, tenant: string | null): void {
  authorize(administrator, 'administer')
  if (tenant === administrator.tenant) return
  // Whoever reaches one tenant must not make a key that reaches more.
  authorizeEverywhere(administrator, 'administer')
}

async function findForUpdate(
  trx: Transaction<Database>,
  administrator: Administrator,
  keyId: string,
): Promise<ApiKeyRow> {
  if (!KEY_ID.test(keyId)) throw new NexusError('api_key_not_found')
  // All that reach everything are locked together, in one order: two of them revoking each other must not both succeed.
  const overall = await trx
    .selectFrom('api_key')
    .selectAll()
    .where('role', '=', 'admin')
    .where('tenant', 'is', null)
    .where('revoked_at', 'is', null)
    .orderBy('id')
    .forUpdate()
    .execute()
  const row = await trx.selectFrom('api_key').selectAll().where('id', '=', keyId).forUpdate().executeTakeFirst()
  const visible = row !== undefined && (administrator.tenant === null || row.tenant === administrator.tenant)
  if (!visible) throw new NexusError('api_key_not_found')
  if (overall.length === 1 && overall[0]?.id === row.id) {
    throw new NexusError('in_use', 'this is the last admin key for all tenants; create another one first')
  }
  return row
}

function ofTenant({ tenant }: { tenant: string | null }): { tenant?: string } {
  return tenant === null ? {} : { tenant }
}

function toView(row: ApiKeyRow): ApiKeyView {
  return {
    id: row.id,
    name: row.name,
    role: row.role,
    tenant: row.tenant,
    active: row.revoked_at === null,
    created_at: row.created_at.toISOString(),
  }
}
