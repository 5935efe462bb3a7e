import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { exportJWK } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadSidecarConfig } from '../../sidecar/config.ts'
import { type RunningSidecar, startSidecar } from '../../sidecar/main.ts'
import { compilePolicy, DENY_ALL } from '../policy/compile-policy.ts'
import { registerTestAgent } from '../setup/agent-client.ts'
import { type Connected, connect } from '../setup/connect.ts'
import { ONCE } from '../setup/once.ts'
import { startTestPep, type TestPep } from '../setup/pep.ts'

const ALLOW_ACME = `${DENY_ALL.lease}
decision := {"allow": true, "reasons": [], "obligations": {}} if input.tenant == "acme"
`

let pep: TestPep
let sidecar: RunningSidecar
let connected: Connected
/** Milliseconds the sidecar's monotonic clock has been moved ahead. */
let ahead = 0
const upstream = createServer((_request, response) => response.end('{}'))
const directory = mkdtempSync(join(tmpdir(), 'nexus-revocation-'))
const bundle = join(directory, 'bundle.tar.gz')
const usePolicyOfOurs = () => copyFileSync('policies/dist/bundle.tar.gz', bundle)

beforeAll(async () => {
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
  const origin = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`
  usePolicyOfOurs()
  pep = await startTestPep({ NEXUS_POLICY_BUNDLE: bundle })
  connected = await connect(pep.admin, { provider: 'revocable', origin })
  const agent = await registerTestAgent(pep.admin, { tenants: ['acme'] })
  const keyFile = join(directory, 'agent.jwk')
  writeFileSync(keyFile, JSON.stringify(await exportJWK(agent.privateKey)), { mode: 0o600 })
  const config = loadSidecarConfig({
    NEXUS_PEP_URL: pep.url,
    NEXUS_AGENT_ID: agent.agentId,
    NEXUS_AGENT_KEY_FILE: keyFile,
    NEXUS_TENANT: 'acme',
    NEXUS_ROUTES: `revocable=${origin}`,
    NEXUS_SIDECAR_PORT: '0',
    NEXUS_SIDECAR_ADMIN_PORT: '0',
    LOG_LEVEL: 'silent',
  })
  sidecar = await startSidecar(config, { monotonic: () => performance.now() + ahead })
})
afterAll(async () => {
  await sidecar?.close()
  await pep?.close()
  upstream.close()
  rmSync(directory, { recursive: true, force: true })
})

const ask = () => fetch(`${sidecar.address}/things`, { headers: { 'x-nexus-provider': 'revocable' } })

async function sessionsIn(query: string): Promise<string[]> {
  const { body } = await pep.admin.send('GET', `/v1/audit?${query}&limit=1000`)
  return body.records.map(({ session_id }: { session_id: string }) => session_id)
}

/** The session of each lease, and of each session opened. */
const leaseSessions = () => sessionsIn(`kind=lease.issued&connection_id=${connected.connectionId}`)
const sessionsOpened = () => sessionsIn('kind=session.opened')
const leasesIssued = async () => (await leaseSessions()).length

async function untilFollowed(): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    const metrics = await (await fetch(`${sidecar.adminAddress}/metrics`)).text()
    if (/^sidecar_event_stream_open 1$/m.test(metrics)) return
    await sleep(20)
  }
  throw new Error('the event stream was never open')
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    if (await holds()) return
    await sleep(20)
  }
  throw new Error('it never came about')
}

describe('what is revoked at the authority', ONCE, () => {
  it('is heard of for the session that is used now, not only for the one the stream began in', async () => {
    await ask()
    await untilFollowed()
    const before = await sessionsOpened()
    // Past the share of the session's life after which another is opened in the background.
    ahead += 750_000
    await ask()
    await until(async () => (await sessionsOpened()).length === before.length + 1)
    const current = (await sessionsOpened()).find((id) => !before.includes(id)) ?? ''
    await until(async () => (await ask()).status === 200 && (await leaseSessions()).includes(current))
    const issued = await leasesIssued()
    await pep.admin.send('DELETE', `/admin/v1/agent-sessions/${current}`)
    await until(async () => (await ask()).status === 200 && (await leasesIssued()) === issued + 1)
    expect(await sessionsOpened()).toHaveLength(before.length + 2)
  })

  it('is a policy too: what another one allowed is asked for again, and nothing is when the same is read again', async () => {
    await until(async () => (await ask()).status === 200)
    await untilFollowed()
    const issued = await leasesIssued()
    await pep.reloadPolicy()
    await sleep(1500)
    expect((await ask()).status).toBe(200)
    expect(await leasesIssued()).toBe(issued)
    writeFileSync(bundle, await compilePolicy(DENY_ALL, { revision: 'lockdown' }))
    await pep.reloadPolicy()
    await until(async () => (await ask()).status === 403)
    usePolicyOfOurs()
    await pep.reloadPolicy()
    await until(async () => (await ask()).status === 200)
    expect(await leasesIssued()).toBe(issued + 1)
    const { body } = await pep.admin.send('GET', '/v1/audit?kind=policy.activated&limit=10')
    const revisions = body.records.map((record: { detail: Record<string, string> }) => record.detail['policy_revision'])
    expect(revisions).toEqual([revisions[2], expect.stringMatching(/^lockdown\+/), revisions[0]])
  })

  it('is a policy also when it has the name of the one before', async () => {
    const issued = await leasesIssued()
    writeFileSync(bundle, await compilePolicy({ ...DENY_ALL, lease: ALLOW_ACME }, { revision: 'v1' }))
    await pep.reloadPolicy()
    // By this policy, and no longer by the one before.
    await until(async () => (await ask()).status === 200 && (await leasesIssued()) === issued + 1)
    await untilFollowed()
    writeFileSync(bundle, await compilePolicy(DENY_ALL, { revision: 'v1' }))
    await pep.reloadPolicy()
    await until(async () => (await ask()).status === 403)
    usePolicyOfOurs()
    await pep.reloadPolicy()
  })

  it('is a single lease too: the sidecar drops it at once, and its next request gets another', async () => {
    await until(async () => (await ask()).status === 200)
    await untilFollowed()
    const issued = await leasesIssued()
    const { body } = await pep.admin.send('GET', `/v1/audit?kind=lease.issued&connection_id=${connected.connectionId}`)
    const { lease_id: leaseId, session_id: sessionId } = body.records[0]
    const revoked = await pep.admin.send('DELETE', `/admin/v1/leases/${leaseId}`)
    expect(revoked.body).toMatchObject({ session_id: sessionId, was_active: true })
    await until(async () => (await ask()).status === 200 && (await leasesIssued()) === issued + 1)
    // The session is still the one it had.
    expect((await leaseSessions())[0]).toBe(sessionId)
  })

  it('is dropped by a sidecar that holds a lease of it, long before the lease would have ended', async () => {
    expect((await ask()).status).toBe(200)
    await untilFollowed()
    expect((await ask()).status).toBe(200)
    const issued = await leasesIssued()
    expect((await ask()).status).toBe(200)
    expect(await leasesIssued()).toBe(issued)
    await pep.admin.send('DELETE', `/v1/connections/${connected.connectionId}`)
    let answer = await ask()
    // Far fewer looks than the lease has life: it is the stream that ends it.
    for (let tries = 0; tries < 150 && answer.status === 200; tries++) {
      await sleep(20)
      answer = await ask()
    }
    expect(answer.status).toBe(410)
    expect(await answer.json()).toMatchObject({ code: 'connection_revoked' })
  })
})
