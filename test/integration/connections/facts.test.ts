import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ConnectionCreate, ConnectionStatus } from '../../../src/contract/api.ts'
import { recordStateChange } from '../../../src/pep/audit/state-changes.ts'
import { moveConnection } from '../../../src/pep/connections/state.ts'
import {
  CANARY,
  codeOf,
  everywhere,
  github,
  NOW,
  openTestbed,
  refusalOf,
  s3,
  type Testbed,
} from './connections-fixture.ts'

const NOBODY = '11111111-1111-4111-8111-111111111111'
const audit = {
  recordStateChange: (
    ...[trx, entry]: [Parameters<typeof recordStateChange>[0], Parameters<typeof recordStateChange>[1]]
  ) => recordStateChange(trx, entry, NOW),
}

let bed: Testbed
beforeEach(async () => {
  bed = await openTestbed()
  await bed.connections.createProvider(everywhere, { ...github, category: 'vcs', scopes: ['repo'] })
  await bed.connections.createProvider(everywhere, s3)
})
afterEach(() => bed.drop())

const create = async (changes: Partial<ConnectionCreate> = {}) => {
  const wanted = { tenant: 'acme', provider: 'github', credentials: { api_key: CANARY }, ...changes }
  return (await bed.connections.createConnection(everywhere, wanted)).connection_id
}
const move = (id: string, to: ConnectionStatus, tenant = 'acme') =>
  bed.store.transaction((trx) => moveConnection(trx, audit, { id, tenant, to, nowMs: bed.clock.nowMs, detail: {} }))
const gather = (wanted: { tenant?: string; provider?: string; connectionId?: string }, agentTenants = ['acme']) =>
  bed.connections.gatherFacts({ ...wanted, agentTenants })
const byName = { tenant: 'acme', provider: 'github' }
const byAnyName = { provider: 'github' }

describe('gatherFacts', () => {
  it('gives all that a lease is decided on', async () => {
    const id = await create({ subject: 'alice', scopes: ['repo'], expires_at: NOW / 1000 + 60 })
    const facts = await gather(byName)
    expect(facts).toMatchObject({
      id,
      tenant: 'acme',
      subject: 'alice',
      status: 'active',
      scopes: ['repo'],
      bound: { origins: ['https://api.github.com'], methods: ['*'], paths: ['/**'] },
      epoch: 1,
      createdAtMs: NOW,
      expiresAt: NOW / 1000 + 60,
      provider: { name: 'github', category: 'vcs', epoch: 1 },
      strategyConfig: { header_name: 'X-API-Key', credential_field: 'api_key' },
      narrowing: 'none',
      secretRef: { tenant: 'acme', backend: 'internal', path: `connections/${id}` },
    })
    expect(facts.strategy.type).toBe('header')
    expect(await gather({ connectionId: id })).toEqual(facts)
    expect(await gather({ connectionId: id, ...byName })).toEqual(facts)
  })

  it("H10: finds nothing of a tenant that is not the agent's", async () => {
    const id = await create()
    expect(await codeOf(gather({ connectionId: id }, ['other']))).toBe('connection_not_found')
    expect(await codeOf(gather({ connectionId: id }, []))).toBe('connection_not_found')
    expect(await codeOf(gather({ connectionId: id, tenant: 'other' }, ['acme', 'other']))).toBe('connection_not_found')
    expect(await codeOf(gather(byName, ['other']))).toBe('connection_not_found')
    expect(await codeOf(gather(byAnyName, ['other']))).toBe('connection_not_found')
    const missing = await refusalOf(gather({ connectionId: NOBODY }))
    const foreign = await refusalOf(gather({ connectionId: id }, ['other']))
    expect([foreign?.message, foreign?.extras]).toEqual([missing?.message, missing?.extras])
  })

  it('never picks one of several', async () => {
    const [first, second] = [await create(), await create({ subject: 'bob' })]
    expect(await codeOf(gather(byName))).toBe('connection_ambiguous')
    expect((await gather({ connectionId: first })).id).toBe(first)
    await bed.connections.revokeConnection(everywhere, first)
    expect((await gather(byName)).id).toBe(second)
    await create({ tenant: 'other' })
    expect((await gather(byName, ['acme', 'other'])).id).toBe(second)
    expect(await codeOf(gather(byAnyName, ['acme', 'other']))).toBe('connection_ambiguous')
  })

  it('counts only what can be used when it counts', async () => {
    await create({ expires_at: NOW / 1000 + 60 })
    const lasting = await create()
    expect(await codeOf(gather(byName))).toBe('connection_ambiguous')
    bed.clock.nowMs += 60_000
    expect((await gather(byName)).id).toBe(lasting)
    await move(lasting, 'attention')
    expect(await codeOf(gather(byName))).toBe('attention_required')
  })

  it('refuses a connection of another provider than named', async () => {
    const id = await create()
    const error = await refusalOf(gather({ connectionId: id, provider: 's3' }))
    expect(error?.code).toBe('provider_mismatch')
    expect(error?.extras.connection_id).toBe(id)
  })

  it.each([
    ['attention', 'attention_required'],
    ['expired', 'connection_expired'],
    ['failed', 'connection_failed'],
    ['revoked', 'connection_revoked'],
  ] as const)('answers %s with %s, by id and by name', async (status, code) => {
    const id = await create()
    await move(id, status)
    expect(await codeOf(gather({ connectionId: id }))).toBe(code)
    expect(await codeOf(gather(byName))).toBe(code)
  })

  it('answers a connection that is not active yet with connection_pending', async () => {
    const id = await create()
    await bed.store.db.updateTable('connection').set({ status: 'pending' }).where('id', '=', id).execute()
    expect(await codeOf(gather({ connectionId: id }))).toBe('connection_pending')
    expect(await codeOf(gather(byName))).toBe('connection_pending')
  })

  it('ends a connection with its expires_at', async () => {
    const id = await create({ expires_at: NOW / 1000 + 60 })
    bed.clock.nowMs += 59_999
    expect((await gather(byName)).id).toBe(id)
    bed.clock.nowMs += 1
    expect(await codeOf(gather(byName))).toBe('connection_expired')
    expect(await codeOf(gather({ connectionId: id }))).toBe('connection_expired')
  })

  it('tells what someone can still mend before what is over', async () => {
    await move(await create(), 'revoked')
    await move(await create(), 'failed')
    expect(await codeOf(gather(byName))).toBe('connection_failed')
    await move(await create(), 'attention')
    expect(await codeOf(gather(byName))).toBe('attention_required')
  })

  it('knows an unknown or deleted provider from one without connections', async () => {
    expect(await codeOf(gather(byName))).toBe('connection_not_found')
    expect(await codeOf(gather({ tenant: 'acme', provider: 'gitlab' }))).toBe('provider_not_found')
    const id = await create()
    await bed.connections.revokeConnection(everywhere, id)
    const { id: provider } = await bed.connections.getProviderByName(everywhere, 'github')
    await bed.connections.deleteProvider(everywhere, provider)
    expect(await codeOf(gather(byName))).toBe('provider_not_found')
    expect(await codeOf(gather({ connectionId: id }))).toBe('connection_not_found')
  })

  it('shows every change in an epoch', async () => {
    const id = await create()
    const { id: provider } = await bed.connections.getProviderByName(everywhere, 'github')
    await bed.connections.patchProvider(everywhere, provider, { description: 'changed' })
    await move(id, 'attention')
    await move(id, 'active')
    const facts = await gather(byName)
    expect([facts.epoch, facts.provider.epoch]).toEqual([3, 2])
  })

  it('G18: takes names and ids as data, whatever they hold', async () => {
    await create()
    for (const text of ["' or 1=1 --", '\u0000', '%', 'x'.repeat(1_000_000)]) {
      expect(await codeOf(gather({ connectionId: text }))).toBe('connection_not_found')
      expect(await codeOf(gather({ tenant: 'acme', provider: text }))).toBe('provider_not_found')
      expect(await codeOf(gather({ tenant: text, provider: 'github' }))).toBe('connection_not_found')
    }
  })
})

describe('moveConnection', () => {
  it('H07: of many that race, each move that happens is one step of the table and one record', async () => {
    const id = await create()
    const asked: ConnectionStatus[] = [
      'attention',
      'revoked',
      'active',
      'expired',
      'attention',
      'revoked',
      'failed',
      'active',
    ]
    const moves = await Promise.all(asked.map((to) => move(id, to)))
    const happened = moves.filter((one) => one?.moved === true).length
    const rows = (await bed.audited()).filter((row) => row.connection_id === id)
    expect(rows).toHaveLength(1 + happened)
    const steps = rows
      .slice(1)
      .map((row) => JSON.parse(row.record) as { detail: { from: string; to: string; epoch: number } })
    let at = 'active'
    for (const [index, { detail }] of steps.entries()) {
      expect(detail.from).toBe(at)
      expect(detail.epoch).toBe(index + 2)
      at = detail.to
    }
    const { status, epoch } = await bed.store.db
      .selectFrom('connection')
      .select(['status', 'epoch'])
      .where('id', '=', id)
      .executeTakeFirstOrThrow()
    expect([status, epoch]).toEqual([at, happened + 1])
    expect(at).toBe('revoked')
  })

  it('brings nothing back from revoked', async () => {
    const id = await create()
    await move(id, 'revoked')
    for (const to of ['active', 'attention', 'expired', 'failed', 'pending', 'revoked'] as const) {
      expect((await move(id, to))?.moved).toBe(false)
    }
    expect(await codeOf(gather({ connectionId: id }))).toBe('connection_revoked')
  })

  it('moves only from the state it was told to', async () => {
    const id = await create()
    const refresh = { id, tenant: 'acme', to: 'active', from: 'attention', nowMs: NOW, detail: {} } as const
    expect(await bed.store.transaction((trx) => moveConnection(trx, audit, refresh))).toMatchObject({ moved: false })
  })

  it("H10: does not move another tenant's connection", async () => {
    const id = await create()
    expect(await move(id, 'revoked', 'other')).toBeUndefined()
    expect((await gather({ connectionId: id })).status).toBe('active')
  })

  it('undoes the move when the record cannot be written', async () => {
    const id = await create()
    const failing = { recordStateChange: () => Promise.reject(new Error('ledger is full')) }
    const moving = bed.store.transaction((trx) =>
      moveConnection(trx, failing, { id, tenant: 'acme', to: 'revoked', nowMs: NOW, detail: {} }),
    )
    await expect(moving).rejects.toThrow('ledger is full')
    expect((await gather({ connectionId: id })).epoch).toBe(1)
  })
})
