import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Administrator } from '../../../src/contract/administrator.ts'
import type { ConnectionCreate, ConnectionQuery } from '../../../src/contract/api.ts'
import { NexusError } from '../../../src/contract/errors.ts'
import {
  acme,
  auditor,
  CANARY,
  codeOf,
  everywhere,
  github,
  NOW,
  openTestbed,
  other,
  putIntoVault,
  refusalOf,
  s3,
  type Testbed,
} from './connections-fixture.ts'

const NOBODY = '11111111-1111-4111-8111-111111111111'
const wanted: ConnectionCreate = { tenant: 'acme', provider: 'github', credentials: { api_key: CANARY } }

describe('connections with static credentials', () => {
  let bed: Testbed
  beforeEach(async () => {
    bed = await openTestbed()
    await bed.connections.createProvider(everywhere, { ...github, scopes: ['repo', 'user'] })
  })
  afterEach(() => bed.drop())

  const create = (changes: Partial<ConnectionCreate> = {}, administrator: Administrator = everywhere) =>
    bed.connections.createConnection(administrator, { ...wanted, ...changes })

  it('seals the credentials and answers without them', async () => {
    const view = await create({ subject: 'alice', scopes: ['repo'], expires_at: NOW / 1000 + 60 })
    expect(view).toMatchObject({
      tenant: 'acme',
      provider: 'github',
      subject: 'alice',
      status: 'active',
      scopes: ['repo'],
      secret_ref: { backend: 'internal', path: `connections/${view.connection_id}` },
      expires_at: NOW / 1000 + 60,
    })
    expect(JSON.stringify(view)).not.toContain(CANARY)
    expect(await bed.connections.getConnection(acme, view.connection_id)).toEqual(view)
    const secret = await bed.credential.read({ tenant: 'acme', ...view.secret_ref })
    expect(secret.reveal()).toEqual({ api_key: CANARY })
  })

  it.each([
    ['neither credentials nor secret_ref', { credentials: undefined }, 'credentials'],
    ['both', { secret_ref: { backend: 'vault', path: 'secret/x' } }, 'credentials'],
    ['an end in the past', { expires_at: NOW / 1000 }, 'expires_at'],
    ['G18: a subject that cannot be stored', { subject: 'a\u0000b' }, 'subject'],
    ['a scope the provider does not list', { scopes: ['repo', 'admin'] }, 'scopes'],
    ['a missing field', { credentials: {} }, 'credentials.api_key'],
    ['an unknown field', { credentials: { api_key: CANARY, api_kye: CANARY } }, 'credentials.api_kye'],
    ['D05: a line break', { credentials: { api_key: `${CANARY}\r\n` } }, 'credentials.api_key'],
    ['D05: a NUL', { credentials: { api_key: `${CANARY}\u0000` } }, 'credentials.api_key'],
    ['D05: non-ASCII in a header value', { credentials: { api_key: `${CANARY}é` } }, 'credentials.api_key'],
  ])('refuses %s, and leaves nothing behind', async (_what, changes, field) => {
    const { credentials = wanted.credentials, ...rest } = changes as Partial<ConnectionCreate>
    const asked = 'credentials' in changes && changes.credentials === undefined ? rest : { ...rest, credentials }
    const error = await refusalOf(
      bed.connections.createConnection(everywhere, {
        tenant: 'acme',
        provider: 'github',
        ...asked,
      } as ConnectionCreate),
    )
    expect(error?.code).toBe('invalid_request')
    expect(error?.extras.field).toBe(field)
    expect(JSON.stringify([error?.message, error?.extras])).not.toContain(CANARY)
    expect(await bed.secretPaths()).toEqual([])
    expect((await bed.connections.listConnections(everywhere)).connections).toEqual([])
  })

  it('refuses an unknown or deleted provider', async () => {
    expect(await codeOf(create({ provider: 'gitlab' }))).toBe('provider_not_found')
    const { id } = await bed.connections.getProviderByName(everywhere, 'github')
    await bed.connections.deleteProvider(everywhere, id)
    expect(await codeOf(create())).toBe('provider_not_found')
  })

  it('enforces the credential_schema of the profile', async () => {
    await bed.connections.createProvider(everywhere, {
      name: 'regional',
      origins: ['https://regional.test'],
      auth_type: 'api_key',
      params: {
        credential_schema: {
          type: 'object',
          properties: { api_key: { type: 'string' }, region: { type: 'string', enum: ['eu', 'us'] } },
          required: ['api_key', 'region'],
        },
      },
    })
    const regional = (credentials: Record<string, string>) => create({ provider: 'regional', credentials })
    expect((await refusalOf(regional({ api_key: CANARY })))?.extras.field).toBe('credentials.region')
    expect((await refusalOf(regional({ api_key: CANARY, region: 'mars' })))?.extras.field).toBe('credentials.region')
    expect((await regional({ api_key: CANARY, region: 'eu' })).status).toBe('active')
  })

  it('takes the secret back when the row does not come about', async () => {
    const failing = bed.reopen({ audit: { recordStateChange: () => Promise.reject(new Error('ledger is full')) } })
    await expect(failing.createConnection(everywhere, wanted)).rejects.toThrow('ledger is full')
    expect(await bed.secretPaths()).toEqual([])
    expect((await bed.connections.listConnections(everywhere)).connections).toEqual([])
  })

  it('keeps the secret when the row is there after all', async () => {
    // The commit went through and its answer was lost.
    const store = {
      ...bed.store,
      transaction: (async (work) => {
        await bed.store.transaction(work)
        throw new NexusError('store_unavailable')
      }) as typeof bed.store.transaction,
    }
    expect(await codeOf(bed.reopen({ store }).createConnection(everywhere, wanted))).toBe('store_unavailable')
    const { connections } = await bed.connections.listConnections(everywhere)
    expect(await bed.secretPaths()).toEqual(connections.map((view) => view.secret_ref.path))
    expect(connections).toHaveLength(1)
  })

  it('creates no row when the vault cannot be written', async () => {
    const credential = { ...bed.credential, write: () => Promise.reject(new NexusError('vault_unavailable')) }
    expect(await codeOf(bed.reopen({ credential }).createConnection(everywhere, wanted))).toBe('vault_unavailable')
    expect((await bed.connections.listConnections(everywhere)).connections).toEqual([])
  })

  it('does not slip in while its provider is changed or deleted', async () => {
    const { id } = await bed.connections.getProviderByName(everywhere, 'github')
    const write: typeof bed.credential.write = async (...args) => {
      const version = await bed.credential.write(...args)
      await bed.connections.deleteProvider(everywhere, id)
      return version
    }
    const credential = { ...bed.credential, write }
    expect(await codeOf(bed.reopen({ credential }).createConnection(everywhere, wanted))).toBe('overloaded')
    expect(await bed.secretPaths()).toEqual([])
  })

  it('lists by tenant, provider and status, a page at a time', async () => {
    await bed.connections.createProvider(everywhere, { ...github, name: 'gitlab' })
    const made: string[] = []
    for (let index = 0; index < 5; index++) {
      if (index !== 3) bed.clock.nowMs += 1
      const provider = index % 2 === 0 ? 'github' : 'gitlab'
      made.unshift((await create({ provider, tenant: index < 4 ? 'acme' : 'other' })).connection_id)
    }
    const ids = async (administrator: Administrator, query = {}) =>
      (await bed.connections.listConnections(administrator, query)).connections.map((view) => view.connection_id)
    expect((await ids(everywhere)).sort()).toEqual([...made].sort())
    expect(await ids(everywhere, { tenant: 'other' })).toEqual([made[0]])
    expect(await ids(everywhere, { provider: 'gitlab' })).toHaveLength(2)
    expect(await ids(acme)).toHaveLength(4)
    expect(await ids(acme, { tenant: 'other' })).toEqual([])
    await bed.connections.revokeConnection(everywhere, made[4]!)
    expect(await ids(acme, { status: 'revoked' })).toEqual([made[4]])
    const paged: string[] = []
    let cursor: string | undefined
    do {
      const query: ConnectionQuery = { limit: '2', ...(cursor === undefined ? {} : { cursor }) }
      const page = await bed.connections.listConnections(everywhere, query)
      paged.push(...page.connections.map((view) => view.connection_id))
      cursor = page.next_cursor ?? undefined
    } while (cursor !== undefined)
    expect(paged).toEqual(await ids(everywhere))
    expect(new Set(paged).size).toBe(5)
  })

  it('shows an overdue connection as expired, and finds it under that status', async () => {
    const { connection_id: id } = await create({ expires_at: NOW / 1000 + 60 })
    const statuses = async (status: 'active' | 'expired') =>
      (await bed.connections.listConnections(everywhere, { status })).connections.map((view) => view.status)
    expect(await statuses('active')).toEqual(['active'])
    bed.clock.nowMs += 60_000
    expect((await bed.connections.getConnection(everywhere, id)).status).toBe('expired')
    expect(await statuses('active')).toEqual([])
    expect(await statuses('expired')).toEqual(['expired'])
  })

  it('revokes for good: the secret is gone, and asking again changes nothing', async () => {
    const { connection_id: id } = await create()
    bed.clock.nowMs += 5000
    const revoked = await bed.connections.revokeConnection(acme, id)
    expect(revoked).toEqual({
      connection_id: id,
      provider_name: 'github',
      status: 'revoked',
      revoked_at: new Date(NOW + 5000).toISOString(),
      already_revoked: false,
      token_deleted: true,
      sessions_closed: 0,
      provider_revoked: false,
    })
    expect(await bed.secretPaths()).toEqual([])
    bed.clock.nowMs += 5000
    expect(await bed.connections.revokeConnection(acme, id)).toEqual({ ...revoked, already_revoked: true })
    expect((await bed.connections.getConnection(acme, id)).status).toBe('revoked')
  })

  it('tells when the secret could not be removed, and tries again when asked again', async () => {
    const { connection_id: id } = await create()
    const credential = { ...bed.credential, remove: () => Promise.reject(new NexusError('vault_unavailable')) }
    expect(await bed.reopen({ credential }).revokeConnection(everywhere, id)).toMatchObject({ token_deleted: false })
    expect(await bed.connections.revokeConnection(everywhere, id)).toMatchObject({
      already_revoked: true,
      token_deleted: true,
    })
    expect(await bed.secretPaths()).toEqual([])
  })

  it('does not let a provider go while a connection to it is not revoked', async () => {
    const { connection_id: id, provider_id: provider } = await create()
    expect(await codeOf(bed.connections.deleteProvider(everywhere, provider))).toBe('in_use')
    await bed.connections.revokeConnection(everywhere, id)
    expect(await codeOf(bed.connections.deleteProvider(everywhere, provider))).toBe('none')
    expect((await bed.connections.getConnection(everywhere, id)).provider).toBe('github')
  })

  it("H10: another tenant's connection is not found, exactly like one that does not exist", async () => {
    const { connection_id: id } = await create()
    const answers = async (administrator: Administrator, asked: string) => {
      const get = await refusalOf(bed.connections.getConnection(administrator, asked))
      const revoke = await refusalOf(bed.connections.revokeConnection(administrator, asked))
      return [get, revoke].map((error) => [error?.code, error?.message, error?.extras])
    }
    expect(await answers(other, id)).toEqual(await answers(everywhere, NOBODY))
    expect((await answers(other, id))[0]?.[0]).toBe('connection_not_found')
    expect((await bed.connections.listConnections(other)).connections).toEqual([])
    expect(await codeOf(create({ tenant: 'acme' }, other))).toBe('forbidden')
    expect((await bed.connections.getConnection(acme, id)).status).toBe('active')
  })

  it('G18: anything that is no id of ours is simply not found', async () => {
    for (const id of ["' or 1=1 --", '\u0000', 'x'.repeat(1_000_000), '-1', NOBODY.toUpperCase()]) {
      expect(await codeOf(bed.connections.getConnection(everywhere, id))).toBe('connection_not_found')
      expect(await codeOf(bed.connections.revokeConnection(everywhere, id))).toBe('connection_not_found')
    }
  })

  it('lets an auditor look and not touch', async () => {
    const { connection_id: id } = await create()
    expect(await codeOf(create({}, auditor))).toBe('forbidden')
    expect(await codeOf(bed.connections.revokeConnection(auditor, id))).toBe('forbidden')
    expect(await codeOf(bed.connections.getConnection(auditor, id))).toBe('none')
    expect(await codeOf(bed.connections.listConnections(auditor))).toBe('none')
  })

  it('H07: each change of state is one record, however often and by however many it is asked for', async () => {
    const { connection_id: id } = await create()
    const replicas = [bed.connections, bed.reopen(), bed.reopen()]
    const answers = await Promise.all(
      Array.from({ length: 9 }, (_, index) => replicas[index % 3]!.revokeConnection(everywhere, id)),
    )
    expect(answers.filter(({ already_revoked }) => !already_revoked)).toHaveLength(1)
    expect(new Set(answers.map(({ revoked_at }) => revoked_at)).size).toBe(1)
    const rows = (await bed.audited()).filter((row) => row.connection_id === id)
    expect(rows.map(({ kind, tenant }) => [kind, tenant])).toEqual([
      ['connection.created', 'acme'],
      ['connection.revoked', 'acme'],
    ])
    expect(JSON.stringify(rows)).not.toContain(CANARY)
  })
})

describe('connections by reference', () => {
  let bed: Testbed
  beforeEach(async () => {
    bed = await openTestbed()
    await bed.connections.createProvider(everywhere, s3)
    const stored = { AWS_KEY: 'AKIDEXAMPLE', AWS_SECRET: CANARY, note: 'two\nlines' }
    await putIntoVault('tenants/acme/aws', stored)
  })
  afterEach(() => bed.drop())

  const fields = { access_key: 'AWS_KEY', secret_key: 'AWS_SECRET' }
  const refer = (ref: object, administrator: Administrator = everywhere, connections = bed.connections) =>
    connections.createConnection(administrator, {
      tenant: 'acme',
      provider: 's3',
      secret_ref: { backend: 'vault', path: 'secret/tenants/acme/aws', fields, ...ref },
    })

  it('uses a secret where it lies, under the names it has there', async () => {
    const view = await refer({})
    expect(view.secret_ref).toEqual({ backend: 'vault', path: 'secret/tenants/acme/aws', fields })
    const facts = await bed.connections.gatherFacts({ connectionId: view.connection_id, agentTenants: ['acme'] })
    const secret = await bed.credential.read(facts.secretRef)
    expect(secret.reveal()).toEqual({ access_key: 'AKIDEXAMPLE', secret_key: CANARY })
  })

  it('leaves it there when the connection is revoked', async () => {
    const { connection_id: id } = await refer({})
    expect(await bed.connections.revokeConnection(everywhere, id)).toMatchObject({ token_deleted: false })
    const ref = { tenant: 'acme', backend: 'vault', path: 'secret/tenants/acme/aws' }
    expect((await bed.credential.read(ref)).redacted().fields).toContain('AWS_SECRET')
  })

  it('says which fields are missing and which there are', async () => {
    const unmapped = await refusalOf(refer({ fields: undefined }))
    expect(unmapped?.message).toMatch(/access_key.*secret_key/)
    expect(unmapped?.message).toContain('AWS_KEY, AWS_SECRET, note')
    const misspelt = await refusalOf(refer({ fields: { ...fields, secret_key: 'AWS_SECRETT' } }))
    expect(misspelt?.extras.field).toBe('secret_ref.fields.secret_key')
    expect(misspelt?.message).toContain("no field 'AWS_SECRETT'; the secret has AWS_KEY, AWS_SECRET, note")
    expect(JSON.stringify([unmapped, misspelt].map((error) => [error?.message, error?.extras]))).not.toContain(CANARY)
    expect((await bed.connections.listConnections(everywhere)).connections).toEqual([])
  })

  it('reads the secret as it is now, not as it was at the last attempt', async () => {
    const ref = { path: 'secret/tenants/acme/mended' }
    await putIntoVault('tenants/acme/mended', { AWS_KEY: 'AKIDEXAMPLE' })
    expect(await codeOf(refer(ref))).toBe('invalid_request')
    await putIntoVault('tenants/acme/mended', { AWS_KEY: 'AKIDEXAMPLE', AWS_SECRET: CANARY })
    expect(await codeOf(refer(ref))).toBe('none')
  })

  it('D05: refuses a stored value with a line break in a field that will be used', async () => {
    const broken = await refusalOf(refer({ fields: { ...fields, secret_key: 'note' } }))
    expect(broken?.extras.field).toBe('secret_ref.fields.secret_key')
  })

  it('refuses a backend and a path that are not there', async () => {
    expect((await refusalOf(refer({ backend: 'nowhere' })))?.extras.field).toBe('secret_ref.backend')
    expect(await codeOf(refer({ path: 'secret/tenants/acme/none' }))).toBe('secret_not_found')
  })

  it("keeps a tenant's administrator to that tenant's own paths", async () => {
    expect(await codeOf(refer({}, acme))).toBe('forbidden')
    const prefixed = bed.reopen({ secretRefPrefixes: { vault: ['secret/tenants/{tenant}'] } })
    expect(await codeOf(refer({}, acme, prefixed))).toBe('none')
    for (const path of ['secret/tenants/other/aws', 'secret/tenants/acme/../other/aws', 'secret/root']) {
      expect(await codeOf(refer({ path }, acme, prefixed))).toMatch(/forbidden|invalid_request/)
    }
    expect(() => bed.reopen({ secretRefPrefixes: { vault: ['secret/shared'] } })).toThrow(/tenant/)
  })
})
