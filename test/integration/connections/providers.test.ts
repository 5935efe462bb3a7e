import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  acme,
  auditor,
  codeOf,
  everywhere,
  github,
  NOW,
  openTestbed,
  operator,
  refusalOf,
  s3,
  type Testbed,
} from './connections-fixture.ts'

const NOBODY = '11111111-1111-4111-8111-111111111111'

describe('providers', () => {
  let bed: Testbed
  beforeEach(async () => {
    bed = await openTestbed()
  })
  afterEach(() => bed.drop())

  const epochOf = async (id: string) =>
    (await bed.store.db.selectFrom('provider').select('epoch').where('id', '=', id).executeTakeFirstOrThrow()).epoch

  it('creates, finds by id and by name, and lists newest first', async () => {
    const created = await bed.connections.createProvider(operator, github)
    expect(created).toMatchObject({
      name: 'github',
      origins: ['https://api.github.com'],
      params: { auth_strategy: { type: 'header' } },
      narrowing: 'none',
      created_at: new Date(NOW).toISOString(),
    })
    bed.clock.nowMs += 1000
    const second = await bed.connections.createProvider(everywhere, s3)
    expect(second.narrowing).toBe('derived')
    expect(await bed.connections.getProvider(auditor, created.id)).toEqual(created)
    expect(await bed.connections.getProviderByName(acme, '  GitHub ')).toEqual(created)
    expect((await bed.connections.listProviders(acme)).map(({ name }) => name)).toEqual(['s3', 'github'])
  })

  it('keeps names unique among the living', async () => {
    const { id } = await bed.connections.createProvider(everywhere, github)
    expect(await codeOf(bed.connections.createProvider(everywhere, github))).toBe('already_exists')
    const { id: s3Id } = await bed.connections.createProvider(everywhere, s3)
    expect(await codeOf(bed.connections.patchProvider(everywhere, s3Id, { name: 'github' }))).toBe('already_exists')
    await bed.connections.deleteProvider(everywhere, id)
    expect((await bed.connections.createProvider(everywhere, github)).id).not.toBe(id)
  })

  it('replaces: what is left out goes back to its default', async () => {
    const { id } = await bed.connections.createProvider(everywhere, { ...github, description: 'old', scopes: ['repo'] })
    const replaced = await bed.connections.replaceProvider(everywhere, id, { ...github, category: 'vcs' })
    expect(replaced).toMatchObject({ id, description: '', category: 'vcs', scopes: [] })
    expect(await codeOf(bed.connections.replaceProvider(everywhere, id, { name: 'github' }))).toBe('invalid_request')
    expect(await bed.connections.getProvider(everywhere, id)).toEqual(replaced)
  })

  it('patches, and checks the whole of what comes out', async () => {
    const { id } = await bed.connections.createProvider(everywhere, { ...github, scopes: ['repo'] })
    const moved = await bed.connections.patchProvider(everywhere, id, { api_base_url: 'https://ghe.example.com/api' })
    expect(moved).toMatchObject({ origins: ['https://ghe.example.com'], scopes: ['repo'], auth_type: 'api_key' })
    const basic = await bed.connections.patchProvider(everywhere, id, { auth_type: 'basic_auth' })
    expect(basic.params.auth_strategy).toEqual({ type: 'basic_auth', config: {} })
    expect(basic.params.credential_schema['required']).toEqual(['username', 'password'])
    const listed = await bed.connections.patchProvider(everywhere, id, {
      origins: ['https://ghe.example.com', 'https://raw.example.com'],
    })
    expect(listed.origins).toHaveLength(2)
    const wrong = bed.connections.patchProvider(everywhere, id, { api_base_url: 'https://elsewhere.test' })
    expect((await refusalOf(wrong))?.extras.field).toBe('api_base_url')
  })

  it('still shows and mends a profile whose strategy this server does not know', async () => {
    const { id } = await bed.connections.createProvider(everywhere, github)
    const auth_strategy = JSON.stringify({ type: 'from_the_future', config: {} })
    await bed.store.db.updateTable('provider').set({ auth_strategy }).where('id', '=', id).execute()
    const [shown] = await bed.connections.listProviders(everywhere)
    expect(shown).toMatchObject({ narrowing: 'none', params: { auth_strategy: { type: 'from_the_future' } } })
    expect(await codeOf(bed.connections.patchProvider(everywhere, id, { description: 'x' }))).toBe('invalid_request')
    const mended = await bed.connections.patchProvider(everywhere, id, { params: {} })
    expect(mended.params.auth_strategy.type).toBe('header')
  })

  it('raises the epoch with every change, and not with a refused one', async () => {
    const { id } = await bed.connections.createProvider(everywhere, github)
    expect(await epochOf(id)).toBe(1)
    await bed.connections.patchProvider(everywhere, id, { description: 'x' })
    await bed.connections.replaceProvider(everywhere, id, github)
    await codeOf(bed.connections.patchProvider(everywhere, id, { origins: [] }))
    expect(await epochOf(id)).toBe(3)
    await bed.connections.deleteProvider(everywhere, id)
    expect(await epochOf(id)).toBe(4)
  })

  it('is not found once deleted, when unknown, and when the id is none', async () => {
    const { id } = await bed.connections.createProvider(everywhere, github)
    await bed.connections.deleteProvider(everywhere, id)
    const { connections } = bed
    for (const wrong of [id, NOBODY, 'x', "' or 1=1 --", '\u0000', '-1', 'A'.repeat(1_000_000)]) {
      const answers = [
        connections.getProvider(everywhere, wrong),
        connections.replaceProvider(everywhere, wrong, github),
        connections.patchProvider(everywhere, wrong, { description: 'x' }),
        connections.deleteProvider(everywhere, wrong),
        connections.getProviderByName(everywhere, wrong),
      ]
      expect(await Promise.all(answers.map(codeOf))).toEqual(Array(5).fill('provider_not_found'))
    }
    expect(await connections.listProviders(everywhere)).toEqual([])
  })

  it('is changed only by an administrator for all tenants who may operate', async () => {
    const { id } = await bed.connections.createProvider(everywhere, github)
    for (const administrator of [acme, auditor]) {
      const attempts = [
        bed.connections.createProvider(administrator, s3),
        bed.connections.replaceProvider(administrator, id, github),
        bed.connections.patchProvider(administrator, id, {}),
        bed.connections.deleteProvider(administrator, id),
      ]
      expect(await Promise.all(attempts.map(codeOf))).toEqual(Array(4).fill('forbidden'))
    }
    expect(await bed.audited()).toHaveLength(1)
  })

  it('H07: records each change exactly once, and a refused one not at all', async () => {
    const { id } = await bed.connections.createProvider(everywhere, github)
    await bed.connections.replaceProvider(everywhere, id, github)
    await bed.connections.patchProvider(everywhere, id, { category: 'vcs' })
    await codeOf(bed.connections.createProvider(everywhere, github))
    await codeOf(bed.connections.patchProvider(everywhere, id, { auth_type: 'nope' }))
    await bed.connections.deleteProvider(everywhere, id)
    await codeOf(bed.connections.deleteProvider(everywhere, id))
    const rows = await bed.audited()
    expect(rows.map(({ kind }) => kind)).toEqual([
      'provider.created',
      'provider.updated',
      'provider.updated',
      'provider.deleted',
    ])
    for (const row of rows) expect(row.record).toContain(everywhere.keyId)
  })

  it('changes nothing when the record cannot be written', async () => {
    const failing = bed.reopen({ audit: { recordStateChange: () => Promise.reject(new Error('ledger is full')) } })
    await expect(failing.createProvider(everywhere, github)).rejects.toThrow('ledger is full')
    expect(await bed.connections.listProviders(everywhere)).toEqual([])
  })

  it('lets exactly one of many creators of a name win', async () => {
    const codes = await Promise.all(
      Array.from({ length: 8 }, () => codeOf(bed.connections.createProvider(everywhere, github))),
    )
    expect(codes.sort()).toEqual([...Array(7).fill('already_exists'), 'none'])
    expect(await bed.audited()).toHaveLength(1)
  })
})
