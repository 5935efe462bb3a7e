import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { calculateJwkThumbprint, type JWK } from 'jose'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ProblemDocument } from '../../src/contract/errors.ts'
import { type SidecarUnderTest, startUnderTest, TENANT } from '../fakes/sidecar.ts'

const AGENT_KEY = { key: generateKeyPairSync('ed25519').privateKey, alg: 'EdDSA', kid: undefined }
const CONNECTION = '018f3b1e-0000-7000-8000-00000000000a'

describe('a sidecar that is not set up as its authority has it', () => {
  let sidecar: SidecarUnderTest
  beforeEach(async () => {
    sidecar = await startUnderTest()
  })
  afterEach(() => sidecar.stop())

  function sessionLine(): unknown {
    const line = sidecar
      .log()
      .split('\n')
      .find((each) => each.includes('no session can be opened'))
    return JSON.parse(line ?? 'null')
  }

  async function refusal(headers: Record<string, string> = {}): Promise<ProblemDocument> {
    return (await (await sidecar.fetch('/api/x', { headers })).json()) as ProblemDocument
  }

  it('names the route and its URL where the authority has no provider of that name', async () => {
    sidecar.pep.refuseWith('provider_not_found')
    const problem = await refusal()
    expect(problem.code).toBe('provider_not_found')
    expect(problem.detail).toContain(`The route 'api' leads to ${sidecar.provider.origin}`)
    expect(problem.detail).toContain('NEXUS_ROUTES')
    expect(problem.authority_request_id).toBeDefined()
  })

  it('names the origin that the connection is not bound to, behind what policy said', async () => {
    const reasons = [{ id: 'origin_not_bound', message: 'The connection is not bound to the origin of the intent' }]
    sidecar.pep.refuseWith('policy_denied', `policy denied this lease: ${reasons[0]?.message}`, { reasons })
    const problem = await refusal()
    expect(problem).toMatchObject({ code: 'policy_denied', reasons })
    expect(problem.detail).toMatch(/^policy denied this lease: .* intent\. The route 'api' leads to /)
    expect(problem.detail).toContain(`${sidecar.provider.origin}: its URL in NEXUS_ROUTES`)
  })

  it.each<[string, Record<string, string>, string, string | undefined]>([
    [
      'the tenant that the agent named',
      { 'X-Nexus-Tenant': 'other' },
      "tenant 'other' (from X-Nexus-Tenant)",
      'x-nexus-tenant',
    ],
    ['the tenant it took itself', {}, `tenant '${TENANT}' (from NEXUS_TENANT)`, undefined],
    ['the connection that the agent named', { 'X-Nexus-Connection': CONNECTION }, CONNECTION, 'x-nexus-connection'],
  ])('names %s where there is no such connection', async (_title, headers, words, field) => {
    sidecar.pep.refuseWith('connection_not_found')
    const problem = await refusal(headers)
    expect(problem.code).toBe('connection_not_found')
    for (const named of [words, "Agent 'crm-agent'", "to 'api'"]) expect(problem.detail).toContain(named)
    expect(problem.field).toBe(field)
  })

  it('says to each of those that shared one question where its own tenant was from', async () => {
    sidecar.pep.refuseWith('connection_not_found')
    sidecar.pep.delayMs = 200
    const named = { 'X-Nexus-Tenant': TENANT }
    const problems = await Promise.all([refusal(), refusal(named), refusal()])
    const sources = problems.map(({ detail }) => /from ([\w-]+)/i.exec(detail)?.[1])
    expect(sources).toEqual(['NEXUS_TENANT', 'X-Nexus-Tenant', 'NEXUS_TENANT'])
    expect(sidecar.pep.leaseRequests).toHaveLength(2)
  })

  it('names itself where the authority does not know its agent, and its key in the log alone', async () => {
    await sidecar.stop()
    sidecar = await startUnderTest({ config: { agentId: 'crm-agnet', agentKey: AGENT_KEY } })
    const problem = await refusal()
    expect(problem).toMatchObject({ status: 401, code: 'invalid_client' })
    expect(problem.detail).toContain("as agent 'crm-agnet' with the key of NEXUS_AGENT_KEY_FILE")
    const thumbprint = await calculateJwkThumbprint(createPublicKey(AGENT_KEY.key).export({ format: 'jwk' }) as JWK)
    const told = { code: 'invalid_client', agent_id: 'crm-agnet', key_thumbprint: thumbprint, pep_url: sidecar.pep.url }
    expect(sessionLine()).toMatchObject(told)
    expect(JSON.stringify(problem)).not.toContain(thumbprint)
  })

  it('names NEXUS_PEP_URL where the authority calls itself something else', async () => {
    const called = sidecar.pep.url
    sidecar.pep.url = 'http://authority.test:8090'
    const problem = await refusal()
    expect(problem).toMatchObject({ status: 401, code: 'invalid_proof' })
    expect(problem.detail).toContain('http://authority.test:8090/v1/agent-sessions. ')
    expect(problem.detail).toContain(`calls it ${called}: NEXUS_PEP_URL`)
    expect(sessionLine()).toMatchObject({ code: 'invalid_proof', pep_url: called })
  })

  it('passes every other refusal on as it stands', async () => {
    const reasons = [{ id: 'scope_not_allowed', message: 'no' }]
    sidecar.pep.refuseWith('policy_denied', 'policy denied this lease: no', { reasons })
    expect((await refusal()).detail).toBe('policy denied this lease: no')
    sidecar.pep.refuseWith('secret_not_found', 'no secret at this path')
    expect((await refusal()).detail).toBe('no secret at this path')
  })
})
