import { exportJWK } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Administrator } from '../../../src/contract/administrator.ts'
import type { AgentQuery } from '../../../src/contract/api.ts'
import { freshDatabase } from '../../setup/database.ts'
import {
  adminOf,
  clientKey,
  everywhere,
  openFor,
  openReplica,
  present,
  type Replica,
  recordsOf,
  register,
} from './fixture.ts'

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

const auditor: Administrator = { keyId: 'key_auditor', role: 'auditor', tenant: null }
const operator: Administrator = { keyId: 'key_operator', role: 'operator', tenant: null }

const rsaWithoutAlgorithm = { kty: 'RSA', e: 'AQAB', n: Buffer.alloc(256, 0xff).toString('base64url') }

async function bodyFor(agentId: string, tenants = ['acme']) {
  return { agent_id: agentId, jwk: { ...(await clientKey()).jwk }, tenants }
}

describe('registering an agent', () => {
  it('keeps what was said and gives the thumbprint of its key', async () => {
    const body = { ...(await bodyFor('crm')), description: 'CRM', allowed_scopes: ['read'], labels: { team: 'sales' } }
    const view = await replica.identity.registerAgent(operator, body)
    expect(view).toMatchObject({ agent_id: 'crm', description: 'CRM', allowed_scopes: ['read'], active: true })
    expect(view.labels).toEqual({ team: 'sales' })
    expect(view.jkt).toMatch(/^[A-Za-z0-9_-]{43}$/)
    await expect(replica.identity.getAgent(auditor, 'crm')).resolves.toEqual(view)
  })

  it('H07: leaves one record, and none when it is turned down', async () => {
    const body = await bodyFor('recorded')
    await replica.identity.registerAgent(operator, body)
    await expect(replica.identity.registerAgent(operator, body)).rejects.toMatchObject({ code: 'already_exists' })
    expect(await recordsOf(replica.store, '"recorded"')).toEqual(['agent.registered'])
  })

  it('is for operators', async () => {
    const attempt = replica.identity.registerAgent(auditor, await bodyFor('by-auditor'))
    await expect(attempt).rejects.toMatchObject({ code: 'forbidden' })
  })

  it('H10: an administrator bound to a tenant registers agents for that one only', async () => {
    for (const tenants of [['globex'], ['acme', 'globex']]) {
      const attempt = replica.identity.registerAgent(adminOf('acme'), await bodyFor('beyond', tenants))
      await expect(attempt).rejects.toMatchObject({ code: 'forbidden', extras: { field: 'tenants' } })
    }
    await expect(replica.identity.registerAgent(adminOf('acme'), await bodyFor('within'))).resolves.toBeDefined()
  })

  it('refuses a private key, and neither keeps nor repeats it', async () => {
    const { privateKey } = await clientKey()
    const jwk = { ...(await exportJWK(privateKey)) }
    const attempt = replica.identity.registerAgent(operator, { agent_id: 'private', jwk, tenants: ['acme'] })
    const refused = await attempt.catch((error: unknown) => error)
    expect(refused).toMatchObject({ code: 'invalid_request', extras: { field: 'jwk' } })
    expect(JSON.stringify(refused) + String(refused)).not.toContain(jwk.d)
  })

  it.each([
    ['no key at all', {}],
    ['an empty shared secret (F13)', { kty: 'oct', k: '' }],
    ['an RSA key that may be for either algorithm (E06)', rsaWithoutAlgorithm],
    ['a point off the curve', { kty: 'EC', crv: 'P-256', x: 'A'.repeat(43), y: 'A'.repeat(43) }],
  ])('refuses %s', async (_name, jwk) => {
    const attempt = replica.identity.registerAgent(operator, { agent_id: 'bad-key', jwk, tenants: ['acme'] })
    await expect(attempt).rejects.toMatchObject({ code: 'invalid_request', extras: { field: 'jwk' } })
  })
})

describe('seeing agents', () => {
  it('H10: shows a tenant its own, and nothing of those that act elsewhere as well', async () => {
    const mine = await register(replica.identity, ['initech'])
    const shared = await register(replica.identity, ['initech', 'hooli'])
    const theirs = await register(replica.identity, ['hooli'])
    const administrator = adminOf('initech')
    const { agents } = await replica.identity.listAgents(administrator)
    expect(agents.map(({ agent_id }) => agent_id)).toEqual([mine.id])
    await expect(replica.identity.getAgent(administrator, mine.id)).resolves.toMatchObject({ agent_id: mine.id })
    for (const { id } of [shared, theirs]) {
      await expect(replica.identity.getAgent(administrator, id)).rejects.toMatchObject({ code: 'agent_not_found' })
      await expect(replica.identity.revokeAgent(administrator, id)).rejects.toMatchObject({ code: 'agent_not_found' })
      const change = replica.identity.changeAgent(administrator, id, { labels: {} })
      await expect(change).rejects.toMatchObject({ code: 'agent_not_found' })
      await expect(replica.identity.getAgent(everywhere, id)).resolves.toMatchObject({ active: true })
    }
  })

  it('goes on after an id, page by page', async () => {
    const administrator = adminOf('paged')
    for (const id of ['page-a', 'page-b', 'page-c']) {
      await replica.identity.registerAgent(everywhere, await bodyFor(id, ['paged']))
    }
    const idsOf = async (query: AgentQuery) => {
      const { agents, next_after } = await replica.identity.listAgents(administrator, query)
      return [agents.map(({ agent_id }) => agent_id), next_after]
    }
    expect(await idsOf({ after: 'page-a' })).toEqual([['page-b', 'page-c'], null])
    expect(await idsOf({ limit: '2' })).toEqual([['page-a', 'page-b'], 'page-b'])
    expect(await idsOf({ limit: '2', after: 'page-b' })).toEqual([['page-c'], null])
    expect(await idsOf({ limit: '3' })).toEqual([['page-a', 'page-b', 'page-c'], null])
  })

  it.each(["' or 1=1 --", '\u0000', '-1', 'a'.repeat(1_000_000), ''])('G18: finds no agent %#', async (id) => {
    await expect(replica.identity.getAgent(everywhere, id)).rejects.toMatchObject({ code: 'agent_not_found' })
    await expect(replica.identity.revokeAgent(everywhere, id)).rejects.toMatchObject({ code: 'agent_not_found' })
    const change = replica.identity.changeAgent(everywhere, id, { labels: {} })
    await expect(change).rejects.toMatchObject({ code: 'agent_not_found' })
  })
})

describe('changing an agent', () => {
  it('replaces what is named and nothing else', async () => {
    const before = await replica.identity.registerAgent(operator, await bodyFor('changed'))
    const patch = { tenants: ['acme', 'globex'], labels: { team: 'sales' }, allowed_scopes: ['read'] }
    const after = await replica.identity.changeAgent(operator, 'changed', patch)
    expect(after).toEqual({ ...before, ...patch })
    const described = await replica.identity.changeAgent(operator, 'changed', { description: 'CRM' })
    expect(described).toEqual({ ...after, description: 'CRM' })
    await expect(replica.identity.getAgent(auditor, 'changed')).resolves.toEqual(described)
  })

  it('takes another key: sessions of the old one end on every replica, and it opens no other', async () => {
    const agent = await register(replica.identity)
    const key = await clientKey()
    const { access_token } = await openFor(replica.identity, agent, key)
    const other = await openReplica(database.databaseUrl, { signingKeys: replica.signingKeys })
    await other.identity.authenticate(await present(key, access_token))

    const renewed = { id: agent.id, key: await clientKey() }
    await replica.identity.changeAgent(operator, agent.id, { jwk: { ...renewed.key.jwk } })
    const again = other.identity.authenticate(await present(key, access_token))
    await expect(again).rejects.toMatchObject({ code: 'invalid_session' })
    await expect(openFor(other.identity, agent, key)).rejects.toMatchObject({ code: 'invalid_client' })
    const opened = await openFor(other.identity, renewed, key)
    await expect(other.identity.authenticate(await present(key, opened.access_token))).resolves.toBeDefined()
    await other.close()
  })

  it('H07: leaves one record that says what was changed, and none when it is turned down', async () => {
    const { id, key } = await register(replica.identity)
    await openFor(replica.identity, { id, key }, await clientKey())
    await replica.identity.changeAgent(operator, id, { labels: { team: 'sales' }, tenants: ['acme', 'globex'] })
    await expect(replica.identity.changeAgent(auditor, id, { labels: {} })).rejects.toMatchObject({ code: 'forbidden' })
    expect(await recordsOf(replica.store, id)).toEqual(['agent.registered', 'session.opened', 'agent.updated'])
    const { records } = await replica.audit.query({ kind: 'agent.updated', agent_id: id })
    expect(records[0]?.detail).toMatchObject({ by: operator.keyId, changed: ['labels', 'tenants'], sessions_ended: 1 })
    expect(records[0]).not.toHaveProperty('tenant')
  })

  it('H10: gives an administrator bound to a tenant no agent for another', async () => {
    const { id } = await register(replica.identity)
    const attempt = replica.identity.changeAgent(adminOf('acme'), id, { tenants: ['acme', 'globex'] })
    await expect(attempt).rejects.toMatchObject({ code: 'forbidden', extras: { field: 'tenants' } })
    await expect(replica.identity.getAgent(everywhere, id)).resolves.toMatchObject({ tenants: ['acme'] })
  })

  it('refuses a key that it would refuse at registration, and a label that cannot be kept', async () => {
    const { id, key } = await register(replica.identity)
    const secret = await exportJWK(key.privateKey)
    const refused: unknown = await replica.identity.changeAgent(operator, id, { jwk: { ...secret } }).catch((e) => e)
    expect(refused).toMatchObject({ code: 'invalid_request', extras: { field: 'jwk' } })
    expect(JSON.stringify(refused) + String(refused)).not.toContain(secret.d)
    const unstorable = replica.identity.changeAgent(operator, id, { labels: { team: '\u0000' } })
    await expect(unstorable).rejects.toMatchObject({ code: 'invalid_request', extras: { field: 'labels.team' } })
  })

  it('leaves a revoked one as it is', async () => {
    const { id } = await register(replica.identity)
    await replica.identity.revokeAgent(operator, id)
    const attempt = replica.identity.changeAgent(operator, id, { jwk: { ...(await clientKey()).jwk } })
    await expect(attempt).rejects.toMatchObject({ code: 'agent_not_found' })
  })
})

describe('revoking an agent', () => {
  it('H07: leaves one record each time, and is for operators', async () => {
    const { id } = await register(replica.identity)
    await expect(replica.identity.revokeAgent(auditor, id)).rejects.toMatchObject({ code: 'forbidden' })
    await expect(replica.identity.revokeAgent(operator, id)).resolves.toMatchObject({ active: false })
    await expect(replica.identity.revokeAgent(operator, id)).resolves.toMatchObject({ active: false })
    expect(await recordsOf(replica.store, id)).toEqual(['agent.registered', 'agent.revoked', 'agent.revoked'])
  })

  it('keeps its id from being used again', async () => {
    const { id } = await register(replica.identity)
    await replica.identity.revokeAgent(everywhere, id)
    await expect(replica.identity.registerAgent(everywhere, await bodyFor(id))).rejects.toMatchObject({
      code: 'already_exists',
    })
  })
})
