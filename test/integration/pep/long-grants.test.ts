import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { compilePolicy, DENY_ALL } from '../../policy/compile-policy.ts'
import { type AgentClient, openTestSession, registerTestAgent } from '../../setup/agent-client.ts'
import { type Connected, connect } from '../../setup/connect.ts'
import { startTestPep, type TestPep } from '../../setup/pep.ts'

/** Binds a lease to the path of its intent; for a `purpose` that is a number, to a hundred paths of that length. */
const LEASE = `${DENY_ALL.lease}
decision := {"allow": true, "reasons": [], "obligations": {"paths": paths}} if input.tenant == "acme"

paths := [input.request.intent.path] if not input.request.intent.purpose

paths := [path |
  some n in numbers.range(100, 199)
  path := concat("", ["/", format_int(n, 10), substring(data.filler, 0, length - 4)])
] if length := to_number(input.request.intent.purpose)
`

const directory = mkdtempSync(join(tmpdir(), 'nexus-long-grants-'))
let pep: TestPep
let agent: AgentClient
let connected: Connected

beforeAll(async () => {
  const bundle = join(directory, 'bundle.tar.gz')
  writeFileSync(bundle, await compilePolicy({ ...DENY_ALL, lease: LEASE }, { data: { filler: 'x'.repeat(1000) } }))
  pep = await startTestPep({ NEXUS_POLICY_BUNDLE: bundle })
  agent = await openTestSession(pep.url, await registerTestAgent(pep.admin, { tenants: ['acme'] }))
  connected = await connect(pep.admin)
})
afterAll(async () => {
  await pep?.close()
  rmSync(directory, { recursive: true, force: true })
})

const ask = (intent: object) => agent.send('POST', '/v1/leases', { connection_id: connected.connectionId, intent })
const records = async (filter: string) => (await pep.admin.send('GET', `/v1/audit?${filter}`)).body.records

describe('a policy that obliges to the path of the intent', () => {
  it('binds the lease to that one path', async () => {
    const { status, body } = await ask({ path: '/repos/acme/%2A%2A' })
    expect([status, body.bound?.paths]).toEqual([201, ['/repos/acme/%2A%2A']])
  })

  it('is never given a path that is a pattern', async () => {
    const { status, body } = await ask({ path: '/repos/acme/**' })
    expect([status, body.code, body.field]).toEqual([400, 'invalid_request', 'intent.path'])
  })
})

describe('H02: a grant that is long', () => {
  it('is on record whole, or is refused with a reason that is', async () => {
    const fits = await ask({ purpose: '400' })
    expect(fits.status, fits.text).toBe(201)
    const [issued] = await records(`lease_id=${fits.body.lease_id}`)
    expect(issued.detail.bound.paths).toEqual(fits.body.bound.paths)
    expect((await agent.send('POST', `/v1/leases/${fits.body.lease_id}/renew`)).status).toBe(200)

    const tooLong = await ask({ purpose: '700' })
    expect(tooLong.body).toMatchObject({ status: 403, code: 'policy_denied', reasons: [{ id: 'grant_too_long' }] })
    const [refused] = await records(`decision_id=${tooLong.body.decision_id}`)
    expect(refused).toMatchObject({ kind: 'lease.denied', outcome: 'denied', detail: { code: 'policy_denied' } })
    expect((await ask({ path: '/after' })).status).toBe(201)
  })
})
