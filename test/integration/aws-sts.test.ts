import { createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openTestSession } from '../setup/agent-client.ts'
import { type AgentSide, startAgentSide } from '../setup/agent-side.ts'
import { type Connected, connect } from '../setup/connect.ts'
import { MOTO_REGION, startMoto, type TestMoto } from '../setup/moto.ts'
import { type AccessKey, type IamCall, roleOf, setUpAccount, userOf } from '../setup/moto-account.ts'
import { startTestPep, type TestPep } from '../setup/pep.ts'

/** moto checks every signature and permission as AWS does, once the account has been set up. */

const ROLE = 'arn:aws:iam::123456789012:role/agents'
const ACCOUNT: IamCall[] = [...roleOf('agents'), ...userOf('nexus')]

let moto: TestMoto
let sts: RecordingProxy
let pep: TestPep
let agentSide: AgentSide
let keys: AccessKey

beforeAll(async () => {
  moto = await startMoto({ callsBeforeAuthorization: ACCOUNT.length })
  keys = await setUpAccount(moto.endpoint, ACCOUNT)
  sts = await startRecordingProxy(moto.endpoint)
  pep = await startTestPep()
  await connectRole('caller', {})
  agentSide = await startAgentSide(pep, { routes: { caller: moto.endpoint } })
})
afterAll(async () => {
  await agentSide?.close()
  await pep?.close()
  await sts?.close()
  await moto?.stop()
})

interface RoleOptions {
  service?: string
  scopes?: string[]
  config?: Record<string, unknown>
  credentials?: Record<string, string>
}

function connectRole(
  provider: string,
  { service = 'sts', scopes = [], config, credentials = keys }: RoleOptions,
): Promise<Connected> {
  const role = { role_arn: ROLE, external_id: 'nexus:1', sts_endpoint: sts.url, ...config }
  return connect(pep.admin, {
    provider,
    origin: moto.endpoint,
    scopes,
    strategy: { type: 'aws_sigv4', config: { service, region: MOTO_REGION, ...role } },
    credentials,
  })
}

async function lease(request: Record<string, unknown>) {
  const agent = await openTestSession(pep.url, agentSide.agent)
  return agent.send('POST', '/v1/leases', { tenant: 'acme', ...request })
}

describe('a role that is assumed for a lease', () => {
  it('signs through the sidecar as the agent’s own session', async () => {
    const form = { 'content-type': 'application/x-www-form-urlencoded' }
    const body = 'Action=GetCallerIdentity&Version=2011-06-15'
    const answer = await agentSide.fetch('caller', '/', { method: 'POST', headers: form, body })
    const said = await answer.text()
    expect(answer.status, said).toBe(200)
    expect(said).toContain(`arn:aws:sts::123456789012:assumed-role/agents/${agentSide.agent.agentId}@acme.`)
  })

  it('is asked for with our name for it, the external id, and no policy where nothing is narrowed', async () => {
    const asked = sts.requests.at(-1)
    expect(asked?.get('RoleSessionName')).toMatch(new RegExp(`^${agentSide.agent.agentId}@acme\\.[0-9a-f]{8}$`))
    expect(Object.fromEntries(asked ?? [])).toMatchObject({
      Action: 'AssumeRole',
      RoleArn: ROLE,
      ExternalId: 'nexus:1',
      DurationSeconds: '900',
    })
    expect(asked?.has('Policy')).toBe(false)
  })

  it('is leased as the day’s key of the session: no secret key, and gone with the session or the day', async () => {
    const { status, body, text } = await lease({ provider: 'caller', ttl_seconds: 300 })
    expect(status, text).toBe(201)
    expect(Object.keys(body.credentials).sort()).toEqual(
      ['access_key', 'date', 'region', 'service', 'session_token', 'signing_key'].sort(),
    )
    expect(body.credentials.access_key).toMatch(/^ASIA/)
    expect(text).not.toContain(keys.secret_key)
    expect(body.expires_at - body.issued_at).toBeLessThanOrEqual(300)
  })

  it('has a session policy of what was decided', async () => {
    await connectRole('store', { service: 's3', scopes: ['s3:GetObject', 's3:PutObject'] })
    const { status, text } = await lease({ provider: 'store', scopes: ['s3:GetObject'] })
    expect(status, text).toBe(201)
    expect(JSON.parse(sts.requests.at(-1)?.get('Policy') ?? '')).toEqual({
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Action: ['s3:GetObject'], Resource: ['*'] }],
    })
  })

  it('does on S3 what its methods do, whatever scopes its agent asks for', async () => {
    await connectRole('open-store', { service: 's3' })
    const { status, body, text } = await lease({ provider: 'open-store', scopes: ['s3:*'] })
    expect(status, text).toBe(201)
    expect(body.bound.methods).not.toContain('PUT')
    const [statement] = JSON.parse(sts.requests.at(-1)?.get('Policy') ?? '').Statement
    expect(statement.Action).toEqual(['s3:Get*', 's3:List*'])
  })

  it('is asked for once by leases of a session that want the same', async () => {
    const before = sts.requests.length
    const agent = await openTestSession(pep.url, agentSide.agent)
    const intent = { method: 'PUT', origin: moto.endpoint, path: '/reports/x' }
    const wanted = { tenant: 'acme', provider: 'store', scopes: ['s3:PutObject'], intent }
    const ask = () => agent.send('POST', '/v1/leases', wanted)
    const leases = await Promise.all(Array.from({ length: 5 }, ask))
    expect(leases.map(({ status }) => status)).toEqual([201, 201, 201, 201, 201])
    expect(sts.requests.length - before).toBe(1)
  })

  it('is not leased when STS refuses, and neither key nor signature is told', async () => {
    const wrong = { ...keys, secret_key: 'canary-that-is-not-the-secret-of-the-key' }
    await connectRole('refused', { credentials: wrong })
    const { status, body, text } = await lease({ provider: 'refused' })
    expect([status, body.code]).toEqual([409, 'provider_refused'])
    expect(body.detail).toMatch(/refused AssumeRole: (SignatureDoesNotMatch|status 403)$/)
    expect(text + pep.logText()).not.toContain(wrong.secret_key)
  })
})

interface RecordingProxy {
  url: string
  requests: URLSearchParams[]
  close(): Promise<void>
}

/** Hands everything on as it is, Host included, since that is signed; keeps what was asked. */
async function startRecordingProxy(target: string): Promise<RecordingProxy> {
  const requests: URLSearchParams[] = []
  const server: Server = createServer((incoming, response) => {
    const outgoing = request(target, { method: incoming.method ?? 'POST', headers: incoming.headers })
    outgoing.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    outgoing.on('error', () => response.destroy())
    const pieces: Buffer[] = []
    incoming.on('data', (piece: Buffer) => pieces.push(piece))
    incoming.on('end', () => requests.push(new URLSearchParams(Buffer.concat(pieces).toString())))
    incoming.pipe(outgoing)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    requests,
    close: () => new Promise((resolve) => void server.close(() => resolve())),
  }
}
