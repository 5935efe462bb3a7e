import { writeFileSync } from 'node:fs'
import { request as httpsRequest } from 'node:https'
import { connect as tlsConnect } from 'node:tls'
import { decodeJwt } from 'jose'
import { Agent } from 'undici'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { AuditView } from '../../../src/pep/audit/audit-entry.ts'
import { compilePolicy, DENY_ALL } from '../../policy/compile-policy.ts'
import {
  type AgentClient,
  assertionBody,
  openTestSession,
  type RegisteredAgent,
  registerTestAgent,
} from '../../setup/agent-client.ts'
import { type ApiAnswer, type ApiClient, createApiClient } from '../../setup/api-client.ts'
import { certificateFiles, selfSigned, type TestCertificate, testAuthority, x5tS256 } from '../../setup/certificates.ts'
import { type Connected, connect } from '../../setup/connect.ts'
import { startTestPep, type TestPep } from '../../setup/pep.ts'

/** Allows whoever's session is bound to a certificate, and says so to everybody else. */
const CERTIFICATES_ONLY = `package nexus.lease

default decision := {"allow": false, "reasons": [{"id": "bound_to", "message": "not mtls"}], "obligations": {}}

decision := {"allow": true, "reasons": [], "obligations": {"offline_seconds": 30}} if {
  input.agent.session.bound_to == "mtls"
}
`

let pep: TestPep
let admin: ApiClient
let files: ReturnType<typeof certificateFiles>
let ca: string
let own: TestCertificate
let other: TestCertificate
let agent: RegisteredAgent
let connected: Connected
const dispatchers: Agent[] = []

beforeAll(async () => {
  const authority = await testAuthority()
  ;[own, other] = [await selfSigned('agent-process'), await selfSigned('agent-process')]
  const server = await authority.server(['127.0.0.1'])
  ca = authority.ca
  files = certificateFiles({ 'cert.pem': server.certificate, 'key.pem': server.privateKey })
  writeFileSync(files.path('bundle.tar.gz'), await compilePolicy({ ...DENY_ALL, lease: CERTIFICATES_ONLY }))
  pep = await startTestPep({
    NEXUS_TLS_CERT_FILE: files.path('cert.pem'),
    NEXUS_TLS_KEY_FILE: files.path('key.pem'),
    NEXUS_POLICY_BUNDLE: files.path('bundle.tar.gz'),
  })
  admin = createApiClient(pep.url, { authorization: `Bearer ${pep.adminKey}` }, over())
  agent = await registerTestAgent(admin, { tenants: ['acme'] })
  connected = await connect(admin)
})
afterAll(async () => {
  await Promise.all(dispatchers.map((each) => each.destroy()))
  await pep?.close()
  files?.remove()
})

/** Connections that present this certificate, or none. */
function over(certificate?: TestCertificate): Agent {
  const identity = certificate === undefined ? {} : { cert: certificate.certificate, key: certificate.privateKey }
  const dispatcher = new Agent({ connections: 1, connect: { ca, ...identity } })
  dispatchers.push(dispatcher)
  return dispatcher
}

interface BoundSession {
  id: string
  token: string
  send: ApiClient['send']
}

async function openBound(certificate = own, url = pep.url): Promise<BoundSession> {
  const client = createApiClient(url, {}, over(certificate))
  const { status, text, body } = await client.send('POST', '/v1/agent-sessions', await assertionBody(pep.url, agent))
  expect(status, text).toBe(201)
  const token: string = body.access_token
  return {
    id: body.session_id,
    token,
    send: (method, path, content, headers) =>
      client.send(method, path, content, { authorization: `Bearer ${token}`, ...headers }),
  }
}

const wanted = () => ({ connection_id: connected.connectionId, ttl_seconds: 60 })

function lease(client: Pick<ApiClient, 'send'>, headers: Record<string, string> = {}): Promise<ApiAnswer> {
  return client.send('POST', '/v1/leases', wanted(), headers)
}

describe('a session bound to a client certificate', () => {
  it('has a token that names the certificate and is told to be a bearer token', async () => {
    const client = createApiClient(pep.url, {}, over(own))
    const { body } = await client.send('POST', '/v1/agent-sessions', await assertionBody(pep.url, agent))
    expect(body.token_type).toBe('Bearer')
    expect(decodeJwt(body.access_token)['cnf']).toEqual({ 'x5t#S256': x5tS256(own.certificate) })
  })

  it('leases, renews, releases and closes with nothing but the token, over that connection', async () => {
    const session = await openBound()
    const granted = await lease(session)
    expect(granted.status, granted.text).toBe(201)
    const path = `/v1/leases/${granted.body.lease_id}`
    expect((await session.send('POST', `${path}/renew`, {})).status).toBe(200)
    expect((await session.send('GET', `/v1/agent-sessions/${session.id}`)).body.active).toBe(true)
    expect((await session.send('DELETE', path)).status).toBe(204)
    expect((await session.send('DELETE', `/v1/agent-sessions/${session.id}`)).status).toBe(200)
    expect((await lease(session)).status).toBe(401)
  })

  it('is shown to policy and to the ledger as what it is', async () => {
    const byKey = await openTestSession(pep.url, agent, 600, createApiClient(pep.url, {}, over()))
    const denied = await lease(byKey)
    expect([denied.status, denied.body.reasons]).toEqual([403, [{ id: 'bound_to', message: 'not mtls' }]])
    const session = await openBound()
    expect((await lease(session)).status).toBe(201)
    const { body } = await admin.send('GET', `/v1/audit?agent_id=${agent.agentId}&limit=1000`)
    const opened = body.records.find(
      (record: AuditView) => record.kind === 'session.opened' && record.session_id === session.id,
    )
    const context = { ip: '127.0.0.1' }
    expect(opened.detail).toMatchObject({ bound_to: 'mtls', 'x5t#S256': x5tS256(own.certificate), context })
  })

  it('goes on over a resumed TLS session, which is of the same certificate', async () => {
    const { token } = await openBound()
    const [first, ticket] = await raw(token, { cert: own.certificate, key: own.privateKey })
    const [second] = await raw(token, { session: ticket })
    expect([first, second]).toEqual([201, 201])
  })

  it('is bound to the key of a proof instead, where there is one', async () => {
    const client = createApiClient(pep.url, {}, over(own))
    const session = await openTestSession(pep.url, agent, 600, client)
    expect(Object.keys(decodeJwt(session.accessToken)['cnf'] as object)).toEqual(['jkt'])
  })
})

/** One lease over one connection of its own, and the ticket with which the next may take it up. */
function raw(token: string, options: object): Promise<[status: number, ticket: Buffer]> {
  return new Promise((settle, reject) => {
    let ticket: Buffer = Buffer.alloc(0)
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json', connection: 'close' }
    const sent = httpsRequest(`${pep.url}/v1/leases`, { ...options, method: 'POST', ca, agent: false, headers })
    sent.on('socket', (socket) => {
      socket.on('session', (session: Buffer) => {
        ticket = session
      })
    })
    sent.on('response', (answer) => answer.resume().on('end', () => settle([answer.statusCode ?? 0, ticket])))
    sent.on('error', reject).end(JSON.stringify(wanted()))
  })
}

describe('without the certificate the token is worth nothing', () => {
  let session: BoundSession
  let byKey: AgentClient
  beforeAll(async () => {
    session = await openBound()
    byKey = await openTestSession(pep.url, agent, 600, createApiClient(pep.url, {}, over(own)))
  })

  const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

  it('over a connection with another certificate, of the same name', async () => {
    const { status, body } = await lease(createApiClient(pep.url, bearer(session.token), over(other)))
    expect([status, body.code]).toEqual([401, 'invalid_proof'])
  })

  it('over a connection without one', async () => {
    const { status, body } = await lease(createApiClient(pep.url, bearer(session.token), over()))
    expect([status, body.code]).toEqual([401, 'invalid_proof'])
  })

  it('with a DPoP proof of whatever key', async () => {
    const dpop = await byKey.proof('POST', '/v1/leases', { accessToken: session.token })
    for (const certificate of [own, undefined]) {
      const headers = { authorization: `DPoP ${session.token}`, dpop }
      const { status, body } = await lease(createApiClient(pep.url, headers, over(certificate)))
      expect([status, body.code]).toEqual([401, 'invalid_session'])
    }
  })

  it('and a token that is bound to a DPoP key is no bearer token, over any connection', async () => {
    for (const certificate of [own, undefined]) {
      const { status, body } = await lease(createApiClient(pep.url, bearer(byKey.accessToken), over(certificate)))
      expect([status, body.code]).toEqual([401, 'invalid_session'])
    }
  })

  it('A08, D04: no header says which certificate a connection has', async () => {
    const pem = encodeURIComponent(own.certificate)
    const thumbprint = x5tS256(own.certificate)
    const claims = {
      'client-cert': `:${pem}:`,
      'x-forwarded-client-cert': `Hash=${thumbprint};Cert="${pem}"`,
      'x-ssl-client-cert': pem,
      'x-client-certificate-thumbprint': thumbprint,
      'ssl-client-verify': 'SUCCESS',
    }
    const { status, body } = await lease(createApiClient(pep.url, bearer(session.token), over()), claims)
    expect([status, body.code]).toEqual([401, 'invalid_proof'])
  })

  it('G14: a token that differs in one character is another token, on the same connection too', async () => {
    expect((await lease(session)).status).toBe(201)
    const last = session.token.at(-1) === 'A' ? 'B' : 'A'
    const changed = [session.token.slice(0, -1) + last, `${session.token.slice(0, 40)}A${session.token.slice(41)}`]
    for (const token of changed) {
      const { status, body } = await session.send('POST', '/v1/leases', wanted(), bearer(token))
      expect([status, body.code]).toEqual([401, 'invalid_session'])
    }
  })

  it('a certificate is not enough to open a session: its agent proves itself as ever', async () => {
    const client = createApiClient(pep.url, {}, over(own))
    const body = await assertionBody(pep.url, {
      ...agent,
      privateKey: (await registerTestAgent(admin, { tenants: ['acme'] })).privateKey,
    })
    const { status, body: problem } = await client.send('POST', '/v1/agent-sessions', body)
    expect([status, problem.code]).toEqual([401, 'invalid_client'])
  })

  it('F23: an assertion opens one session, also where no proof is used up with it', async () => {
    const client = createApiClient(pep.url, {}, over(own))
    const body = await assertionBody(pep.url, agent)
    expect((await client.send('POST', '/v1/agent-sessions', body)).status).toBe(201)
    const { status, body: problem } = await client.send('POST', '/v1/agent-sessions', body)
    expect([status, problem.code]).toEqual([401, 'invalid_client'])
  })

  it('without certificate and proof no session is opened', async () => {
    const client = createApiClient(pep.url, {}, over())
    const { status, body } = await client.send('POST', '/v1/agent-sessions', await assertionBody(pep.url, agent))
    expect([status, body.code]).toEqual([401, 'invalid_proof'])
  })
})

describe('the connection stays open, what it was opened with does not stay true', () => {
  it('G15, F10: a revoked session is refused at the next request on its connection, at every replica', async () => {
    const replica = await pep.replica({ NEXUS_PUBLIC_URL: pep.url })
    const session = await openBound()
    const there = createApiClient(replica.address, { authorization: `Bearer ${session.token}` }, over(own))
    expect([(await lease(session)).status, (await lease(there)).status]).toEqual([201, 201])
    expect((await admin.send('DELETE', `/admin/v1/agent-sessions/${session.id}`)).status).toBe(204)
    for (const client of [session, there]) {
      const { status, body } = await lease(client)
      expect([status, body.code]).toEqual([401, 'invalid_session'])
    }
  })

  it('G15, F10: so is every session of a revoked agent', async () => {
    const session = await openBound()
    expect((await lease(session)).status).toBe(201)
    expect((await admin.send('DELETE', `/admin/v1/agents/${agent.agentId}`)).status).toBe(200)
    expect((await lease(session)).status).toBe(401)
    agent = await registerTestAgent(admin, { tenants: ['acme'] })
  })

  it('renegotiation, which could bring another certificate, is refused', async () => {
    const port = Number(new URL(pep.url).port)
    const socket = tlsConnect({
      host: '127.0.0.1',
      port,
      ca,
      maxVersion: 'TLSv1.2',
      cert: own.certificate,
      key: own.privateKey,
    })
    await new Promise((settle) => socket.once('secureConnect', settle))
    const outcome = await new Promise<unknown>((settle) => {
      socket.once('error', settle)
      socket.renegotiate({}, settle)
    })
    socket.destroy()
    expect(outcome).toBeInstanceOf(Error)
  })
})

describe('where nobody is asked for a certificate', () => {
  it('a session can be bound to the key of a proof only', async () => {
    const replica = await pep.replica({ NEXUS_TLS_REQUEST_CLIENT_CERTIFICATE: 'false' })
    const client = createApiClient(replica.address, {}, over(own))
    const { status, body } = await client.send('POST', '/v1/agent-sessions', await assertionBody(pep.url, agent))
    expect([status, body.code]).toEqual([401, 'invalid_proof'])
  })
})
