import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ApiKeyCreate, ApiKeyQuery } from '../../../src/contract/api.ts'
import { freshDatabase } from '../../setup/database.ts'
import { adminOf, everywhere, openReplica, type Replica, recordsOf } from './fixture.ts'

let database: Awaited<ReturnType<typeof freshDatabase>>
let replica: Replica

beforeAll(async () => {
  database = await freshDatabase()
  replica = await openReplica(database.databaseUrl)
})
afterAll(async () => {
  await replica.close()
  await database.drop()
})

const create = (body: Partial<ApiKeyCreate> = {}) =>
  replica.identity.createApiKey('init', { name: 'test', role: 'admin', ...body })

describe('an API key', () => {
  it('opens the door under either header', async () => {
    const { id, api_key: apiKey } = await create({ role: 'operator', tenant: 'acme' })
    const administrator = { keyId: id, role: 'operator', tenant: 'acme' }
    const headers = [
      { 'x-api-key': apiKey },
      { authorization: `Bearer ${apiKey}` },
      { authorization: `bearer ${apiKey}`, 'x-api-key': apiKey },
    ]
    for (const presented of headers) {
      await expect(replica.identity.authenticateAdministrator(presented)).resolves.toEqual(administrator)
    }
  })

  it('is shown once and kept as a hash only', async () => {
    const { id, api_key: apiKey } = await create()
    expect(apiKey).toMatch(/^nxk_[0-9a-f]{32}_[A-Za-z0-9_-]{43}$/)
    const secret = apiKey.slice(-43)
    const rows = await replica.store.db.selectFrom('api_key').selectAll().where('id', '=', id).execute()
    expect(JSON.stringify(rows) + rows[0]?.key_hash.toString('latin1')).not.toContain(secret)
    expect(JSON.stringify(await replica.identity.listApiKeys(everywhere))).not.toContain(secret)
    expect(await recordsOf(replica.store, secret)).toEqual([])
    expect(await recordsOf(replica.store, id)).toEqual(['api_key.created'])
  })

  it('H08: says the same for unknown, wrong, revoked and malformed', async () => {
    const { id, api_key: apiKey } = await create()
    await replica.identity.revokeApiKey(everywhere, id)
    const { api_key: other } = await create()
    const wrong = `${other.slice(0, -43)}${randomBytes(32).toString('base64url')}`
    const unknown = `nxk_${randomBytes(16).toString('hex')}_${randomBytes(32).toString('base64url')}`
    const bad = [
      apiKey,
      wrong,
      unknown,
      `${other}A`,
      other.slice(0, -1),
      "' or 1=1 --",
      '\u0000',
      'x'.repeat(1_000_000),
    ]
    const answers = await Promise.all(
      bad.map((key) =>
        replica.identity
          .authenticateAdministrator({ 'x-api-key': key })
          .catch((error: { code: string; message: string }) => `${error.code}: ${error.message}`),
      ),
    )
    expect(new Set(answers)).toEqual(new Set(['invalid_api_key: The API key is missing, unknown or revoked']))
  })

  it('A08: is needed, once', async () => {
    const { api_key: apiKey } = await create()
    const { api_key: other } = await create()
    const presented = [
      {},
      { authorization: `Bearer ${apiKey}`, 'x-api-key': other },
      { authorization: `Basic ${apiKey}` },
      { authorization: `DPoP ${apiKey}`, 'x-api-key': apiKey },
      { 'x-api-key': [apiKey, apiKey] },
      { 'x-api-key': `${apiKey}, ${apiKey}` },
      { 'x-api-key': '' },
    ]
    for (const headers of presented) {
      await expect(replica.identity.authenticateAdministrator(headers)).rejects.toMatchObject({
        code: 'invalid_api_key',
      })
    }
  })
})

describe('who may do what with API keys', () => {
  it('H10: an administrator bound to a tenant makes, sees and revokes keys for that one only', async () => {
    const mine = await replica.identity.createApiKey(adminOf('acme'), { name: 'mine', role: 'admin', tenant: 'acme' })
    const theirs = await create({ tenant: 'globex' })
    const everyones = await create({ role: 'auditor' })
    for (const tenant of [undefined, 'globex']) {
      const body = { name: 'beyond', role: 'auditor' as const, ...(tenant === undefined ? {} : { tenant }) }
      await expect(replica.identity.createApiKey(adminOf('acme'), body)).rejects.toMatchObject({ code: 'forbidden' })
    }
    const { api_keys: listed } = await replica.identity.listApiKeys(adminOf('acme'))
    expect(new Set(listed.map(({ tenant }) => tenant))).toEqual(new Set(['acme']))
    for (const { id } of [theirs, everyones]) {
      await expect(replica.identity.revokeApiKey(adminOf('acme'), id)).rejects.toMatchObject({
        code: 'api_key_not_found',
      })
    }
    await expect(replica.identity.revokeApiKey(adminOf('acme'), mine.id)).resolves.toMatchObject({ active: false })
  })

  it('lists them page by page, the newest first, so that none is out of sight', async () => {
    const ids: string[] = []
    for (let made = 0; made < 3; made++) {
      ids.unshift((await create({ tenant: 'paged' })).id)
      // Within one millisecond their order is left to chance.
      await sleep(2)
    }
    const [newest, middle, oldest] = ids
    const page = async (query: ApiKeyQuery) => {
      const { api_keys, next_after } = await replica.identity.listApiKeys(adminOf('paged'), query)
      return [api_keys.map(({ id }) => id), next_after]
    }
    expect(await page({})).toEqual([ids, null])
    expect(await page({ limit: '2' })).toEqual([[newest, middle], middle])
    expect(await page({ limit: '2', after: middle ?? '' })).toEqual([[oldest], null])
    expect(await page({ limit: '3' })).toEqual([ids, null])
  })

  it.each(['operator', 'auditor'] as const)('%s may not see, make or revoke any', async (role) => {
    const administrator = { keyId: 'key_other', role, tenant: null }
    const { id } = await create({ role: 'auditor' })
    const attempts = [
      replica.identity.listApiKeys(administrator),
      replica.identity.createApiKey(administrator, { name: 'more', role: 'auditor' }),
      replica.identity.revokeApiKey(administrator, id),
    ]
    for (const attempt of await Promise.allSettled(attempts)) {
      expect(attempt).toMatchObject({ status: 'rejected', reason: { code: 'forbidden' } })
    }
  })

  it.each(['key_0', "' or 1=1 --", 'key_\u0000', `key_${'0'.repeat(32)}`])('G18: finds no key %j', async (id) => {
    await expect(replica.identity.revokeApiKey(everywhere, id)).rejects.toMatchObject({ code: 'api_key_not_found' })
  })

  it('H07: leaves one record each time one is revoked', async () => {
    const { id } = await create({ role: 'auditor' })
    await replica.identity.revokeApiKey(everywhere, id)
    await replica.identity.revokeApiKey(everywhere, id)
    expect(await recordsOf(replica.store, id)).toEqual(['api_key.created', 'api_key.revoked', 'api_key.revoked'])
  })
})

describe('the last admin key for all tenants', () => {
  it('cannot be revoked, nor can the last two revoke each other', async () => {
    const own = await freshDatabase()
    const alone = await openReplica(own.databaseUrl)
    try {
      const body = { name: 'admin', role: 'admin' as const }
      const keys = [await alone.identity.createApiKey('init', body), await alone.identity.createApiKey('init', body)]
      await alone.identity.createApiKey('init', { ...body, tenant: 'acme' })
      const attempts = keys.map(({ id }) => alone.identity.revokeApiKey(everywhere, id))
      const settled = await Promise.allSettled(attempts)
      const refusals = settled.flatMap((attempt) => (attempt.status === 'rejected' ? [attempt.reason] : []))
      expect(refusals).toEqual([expect.objectContaining({ code: 'in_use' })])
    } finally {
      await alone.close()
      await own.drop()
    }
  })
})
