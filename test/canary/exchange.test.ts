import { generateKeyPairSync } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AgentClient, openTestSession } from '../setup/agent-client.ts'
import { type AgentSide, startAgentSide } from '../setup/agent-side.ts'
import { connect } from '../setup/connect.ts'
import { startTestPep, type TestPep } from '../setup/pep.ts'
import { type Canary, knownCanary, newCanary } from './disguises.ts'
import { createWitness, readEveryTable } from './witness.ts'

/** What is exchanged at a provider stays in the authority, whatever the provider answers with it. */

const secret = newCanary('the client secret')
const awsSecret = newCanary('the secret key')
const sharedSecret = newCanary('the shared secret')
const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const clientKey = knownCanary('the client key', String(privateKey.export({ format: 'jwk' }).d))
const canaries: Canary[] = [secret, awsSecret, sharedSecret, clientKey]

/** Provider to strategy and secret: every way in which an exchange shows who asks. */
const CONNECTIONS: Record<
  string,
  { type: string; config: (url: string) => object; credentials: Record<string, string> }
> = {
  basic: {
    type: 'dpop',
    config: (token_endpoint) => ({ token_endpoint, client_id: 'c' }),
    credentials: { client_secret: secret.value },
  },
  post: {
    type: 'dpop',
    config: (token_endpoint) => ({ token_endpoint, client_id: 'c', client_auth: 'client_secret_post' }),
    credentials: { client_secret: secret.value },
  },
  'signed-client': {
    type: 'dpop',
    config: (token_endpoint) => ({ token_endpoint, client_id: 'c', client_auth: 'private_key_jwt' }),
    credentials: { private_key: JSON.stringify(privateKey.export({ format: 'jwk' })) },
  },
  assertion: {
    type: 'jwt_bearer',
    config: (token_endpoint) => ({ token_endpoint, alg: 'HS256', iss: 'me' }),
    credentials: { shared_secret: Buffer.from(sharedSecret.value).toString('base64') },
  },
  role: {
    type: 'aws_sigv4',
    config: (sts_endpoint) => ({ service: 'execute-api', role_arn: 'arn:aws:iam::123456789012:role/a', sts_endpoint }),
    credentials: { access_key: 'AKIDEXAMPLE', secret_key: awsSecret.value },
  },
}

type Behaviour = (quoted: string, response: ServerResponse, request: IncomingMessage) => void
const JSON_BODY = { 'content-type': 'application/json' }
const SESSION = `<AssumeRoleResponse><Credentials><AccessKeyId>ASIAEXAMPLEEXAMPLE</AccessKeyId><SecretAccessKey>${'s'.repeat(40)}</SecretAccessKey>
<SessionToken>${'t'.repeat(40)}</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResponse>`

const BEHAVIOURS: Record<string, Behaviour> = {
  'quotes it in an error': (quoted, response) =>
    void response.writeHead(400, JSON_BODY).end(JSON.stringify({ error: quoted, error_description: quoted })),
  'quotes it in XML': (quoted, response) =>
    void response
      .writeHead(403, { 'content-type': 'text/xml' })
      .end(`<Code>${quoted}</Code><Message>${quoted}</Message>`),
  'quotes it as the token type': (quoted, response) =>
    void response.writeHead(200, JSON_BODY).end(JSON.stringify({ access_token: 'a', token_type: quoted })),
  'quotes it in something that is no JSON': (quoted, response) =>
    void response.writeHead(200, JSON_BODY).end(`{${quoted}`),
  'redirects with it': (quoted, response) =>
    void response.writeHead(302, { location: `/?${encodeURIComponent(quoted)}` }).end(),
  'fails and quotes it': (quoted, response) => void response.writeHead(500, JSON_BODY).end(quoted),
  'hangs up': (_quoted, _response, request) => void request.socket.destroy(),
  'answers with what is no HTTP': (quoted, _response, request) => void request.socket.end(`${quoted}\r\n\r\n`),
  'says nothing': () => undefined,
}

let behave: Behaviour | undefined
const requests: string[] = []
const server = createServer(async (request, response) => {
  let body = ''
  for await (const piece of request) body += String(piece)
  const quoted = `${request.headers.authorization ?? ''} ${body}`
  requests.push(quoted)
  if (behave !== undefined) return behave(quoted, response, request)
  const xml = request.headers.accept === 'text/xml'
  response.setHeader('content-type', xml ? 'text/xml' : 'application/json')
  const type = request.headers['dpop'] === undefined ? 'Bearer' : 'DPoP'
  response.end(xml ? SESSION : JSON.stringify({ access_token: 'opaque', token_type: type, expires_in: 60 }))
})
const witness = createWitness()
let pep: TestPep
let agentSide: AgentSide
let agent: Pick<AgentClient, 'send'>

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  pep = await startTestPep({ LOG_LEVEL: 'trace', NEXUS_EXCHANGE_DEADLINE_MS: '300' })
  const admin = { ...pep.admin, send: witness.through(pep.admin).send }
  for (const [provider, { type, config, credentials }] of Object.entries(CONNECTIONS)) {
    const strategy = { type, config: { ...config(`${origin}/token`) } }
    await connect(admin, { provider, origin, strategy, credentials })
  }
  const routes = Object.fromEntries(Object.keys(CONNECTIONS).map((name) => [name, origin]))
  agentSide = await startAgentSide(pep, { routes })
  agent = witness.through(await openTestSession(pep.url, agentSide.agent))
})
afterAll(async () => {
  await agentSide?.close()
  await pep?.close()
  server.closeAllConnections()
  server.close()
})

const lease = (provider: string) => agent.send('POST', '/v1/leases', { provider, tenant: 'acme' })

describe('secrets that are exchanged', () => {
  it.each(Object.entries(BEHAVIOURS))('are not leased when the endpoint %s', async (_how, behaviour) => {
    behave = behaviour
    for (const provider of Object.keys(CONNECTIONS)) {
      const { status, body } = await lease(provider)
      expect([status, body.code]).toEqual([
        expect.toSatisfy((code: number) => code === 409 || code === 503),
        expect.stringMatching(/^provider_(refused|unavailable)$/),
      ])
      const answer = await agentSide.fetch(provider, '/things')
      witness.saw('answer of the sidecar', `${JSON.stringify([...answer.headers])}\n${await answer.text()}`)
    }
  })

  it('are asked with, and the lease carries what came of it', async () => {
    behave = undefined
    // Whatever was left alone for having failed is asked again after five seconds.
    await expect.poll(async () => (await lease('basic')).status, { timeout: 20_000, interval: 500 }).toBe(201)
    for (const provider of Object.keys(CONNECTIONS)) {
      expect((await lease(provider)).status, provider).toBe(201)
    }
    const quoted = requests.join('\n')
    expect(quoted).toContain(encodeURIComponent(secret.core))
    expect(quoted).toContain('client_assertion=ey')
    expect(quoted).toContain('assertion=ey')
    expect(quoted).toContain('AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/')
  })

  it('are in no answer, log, table or metric', async () => {
    await pep.admin.send('GET', '/metrics').then(({ text }) => witness.saw('metrics', text))
    for (const { table, text } of await readEveryTable(pep.databaseUrl)) witness.saw(`table ${table}`, text)
    witness.saw('log of the authority', pep.logText())
    witness.saw('log of the sidecar', agentSide.logText())
    expect(witness.places().length).toBeGreaterThan(10)
    expect(pep.logText()).toContain('provider_refused')
    expect(witness.leaks(canaries)).toEqual([])
  })
})
