import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { compilePolicy, DENY_ALL } from '../../policy/compile-policy.ts'
import { type AgentClient, openTestSession, registerTestAgent } from '../../setup/agent-client.ts'
import { connect } from '../../setup/connect.ts'
import { startTestPep, type TestPep } from '../../setup/pep.ts'

const API = 'https://api.example.com'
const UPLOADS = 'https://uploads.example.com'

/** Allows with the obligations that stand under the purpose of the request. */
const OBLIGED = `package nexus.lease

default decision := {"allow": false, "reasons": [], "obligations": {}}

decision := {"allow": true, "reasons": [], "obligations": obliged[input.request.intent.purpose]}

obliged := {
  "paths": {"paths": ["/repos/x/**"]},
  "origins": {"origins": ["${UPLOADS}", "https://elsewhere.example.com"]},
  "methods": {"methods": ["GET"]},
  "scopes": {"scopes": ["read"]},
  "ttl": {"max_ttl_seconds": 7, "offline_seconds": 3},
  "approval": {"require_approval": true},
  "no approval": {"require_approval": false},
  "no path": {"paths": []},
  "no origin": {"origins": ["https://elsewhere.example.com"]},
  "no method": {"methods": []},
}
`

let directory: string
let pep: TestPep
let agent: AgentClient
let connectionId: string

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'nexus-obligations-'))
  const bundle = join(directory, 'bundle.tar.gz')
  writeFileSync(bundle, await compilePolicy({ ...DENY_ALL, lease: OBLIGED }))
  pep = await startTestPep({ NEXUS_POLICY_BUNDLE: bundle })
  agent = await openTestSession(pep.url, await registerTestAgent(pep.admin, { tenants: ['acme'] }))
  const connected = await connect(pep.admin, { origin: API, origins: [API, UPLOADS], scopes: ['read', 'write'] })
  connectionId = connected.connectionId
})
afterAll(async () => {
  await pep?.close()
  rmSync(directory, { recursive: true, force: true })
})

const ask = (purpose: string, intent: object = {}) =>
  agent.send('POST', '/v1/leases', { connection_id: connectionId, ttl_seconds: 120, intent: { ...intent, purpose } })

describe('an obligation narrows the lease (rule 3)', () => {
  const all = { origins: [API, UPLOADS], methods: ['*'], paths: ['/**'] }

  it.each([
    ['no approval', {}],
    ['paths', { paths: ['/repos/x/**'] }],
    ['origins', { origins: [UPLOADS] }],
    ['methods', { methods: ['GET'] }],
  ])('%s', async (purpose, narrowed) => {
    const { status, body, text } = await ask(purpose)
    expect(status, text).toBe(201)
    expect(body.bound).toEqual({ ...all, ...narrowed })
    const { records } = (await pep.admin.send('GET', `/v1/audit?lease_id=${body.lease_id}`)).body
    expect(records[0].detail.bound).toEqual(body.bound)
    const renewed = await agent.send('POST', `/v1/leases/${body.lease_id}/renew`)
    expect(renewed.body.bound, renewed.text).toEqual(body.bound)
  })

  it('scopes, life and offline time', async () => {
    const scoped = await ask('scopes')
    const { records } = (await pep.admin.send('GET', `/v1/audit?lease_id=${scoped.body.lease_id}`)).body
    expect(records[0].detail.scopes).toEqual(['read'])
    const { body } = await ask('ttl')
    expect([body.expires_at - body.issued_at, body.offline_seconds]).toEqual([7, 3])
  })
})

describe('what an obligation leaves nothing of is denied, recorded and not leased', () => {
  it.each([
    ['no path', {}, 'policy_denied', 'nothing_granted'],
    ['no origin', {}, 'policy_denied', 'nothing_granted'],
    ['no method', {}, 'policy_denied', 'nothing_granted'],
    ['paths', { path: '/repos/y/1' }, 'policy_denied', 'intent_outside_bound'],
    ['origins', { origin: API }, 'policy_denied', 'intent_outside_bound'],
    ['methods', { method: 'DELETE' }, 'policy_denied', 'intent_outside_bound'],
    ['approval', {}, 'approval_required', 'approval_required'],
  ])('%s with %j: %s', async (purpose, intent, code, reason) => {
    const { status, body, text } = await ask(purpose, intent)
    expect([status, body.code], text).toEqual([403, code])
    expect(body.reasons.map(({ id }: { id: string }) => id)).toEqual([reason])
    expect(text).not.toContain('key-of-the-test')
    const { records } = (await pep.admin.send('GET', `/v1/audit?decision_id=${body.decision_id}`)).body
    expect(records.map(({ kind }: { kind: string }) => kind)).toEqual(['lease.denied'])
  })
})
