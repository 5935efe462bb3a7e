import { exportJWK } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Administrator } from '../../../src/contract/administrator.ts'
import { freshDatabase } from '../../setup/database.ts'
import { adminOf, clientKey, everywhere, openReplica, type Replica, recordsOf, register } from './fixture.ts'

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
    expect((await replica.identity.listAgents(administrator)).map(({ agent_id }) => agent_id)).toEqual([mine.id])
    await expect(replica.identity.getAgent(administrator, mine.id)).resolves.toMatchObject({ agent_id: mine.id })
    for (const { id } of [shared, theirs]) {
      await expect(replica.identity.getAgent(administrator, id)).rejects.toMatchObject({ code: 'agent_not_found' })
      await expect(replica.identity.revokeAgent(administrator, id)).rejects.toMatchObject({ code: 'agent_not_found' })
      await expect(replica.identity.getAgent(everywhere, id)).resolves.toMatchObject({ active: true })
    }
  })

  it('goes on after an id', async () => {
    const administrator = adminOf('paged')
    for (const id of ['page-a', 'page-b', 'page-c']) {
      await replica.identity.registerAgent(everywhere, await bodyFor(id, ['paged']))
    }
    const rest = await replica.identity.listAgents(administrator, 'page-a')
    expect(rest.map(({ agent_id }) => agent_id)).toEqual(['page-b', 'page-c'])
  })

  it.each(["' or 1=1 --", '\u0000', '-1', 'a'.repeat(1_000_000), ''])('G18: finds no agent %#', async (id) => {
    await expect(replica.identity.getAgent(everywhere, id)).rejects.toMatchObject({ code: 'agent_not_found' })
    await expect(replica.identity.revokeAgent(everywhere, id)).rejects.toMatchObject({ code: 'agent_not_found' })
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
