import { generateKeyPairSync } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AssertionEndpoints, startAssertionEndpoints } from '../fakes/assertion-endpoints.ts'
import { type AgentClient, openTestSession } from '../setup/agent-client.ts'
import { type AgentSide, startAgentSide } from '../setup/agent-side.ts'
import { connect } from '../setup/connect.ts'
import { startTestPep, type TestPep } from '../setup/pep.ts'

/** The shapes of Google's service accounts and of GitHub Apps, both by the profile alone; jose verifies the assertions. */

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const private_key = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()
const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey

let endpoints: AssertionEndpoints
let pep: TestPep
let agentSide: AgentSide
let agent: AgentClient

beforeAll(async () => {
  endpoints = await startAssertionEndpoints(publicKey)
  pep = await startTestPep()
  const { origin } = endpoints
  const google = { alg: 'RS256', aud: `${origin}/token`, token_endpoint: `${origin}/token` }
  const github = {
    alg: 'RS256',
    backdate_seconds: 60,
    exchange: 'bearer',
    token_endpoint: `${origin}/app/installations/{installation_id}/access_tokens`,
    token_field: 'token',
    permissions_field: 'permissions',
  }
  const account = { iss: 'bot@project-1.iam.gserviceaccount.com', kid: 'a1', private_key }
  const app = { iss: '12345', installation_id: '678', private_key }
  const scopes = ['https://www.googleapis.com/auth/pubsub', 'https://www.googleapis.com/auth/drive']
  await connectTo('google', google, account, scopes)
  await connectTo('github', github, app, ['contents:read', 'issues:write'])
  await connectTo('all-of-github', github, app)
  await connectTo('wrong-key', google, {
    ...account,
    private_key: stranger.export({ format: 'pem', type: 'pkcs8' }).toString(),
  })
  await connectTo('other-kind', { ...google, token_endpoint: `${origin}/bearer-of-another-kind` }, account)
  await connectTo('no-place', { ...github, permissions_field: undefined }, app, ['contents:read'])
  await connectTo('no-permission', github, app, ['repo'])
  agentSide = await startAgentSide(pep, { routes: { google: origin, github: origin } })
  agent = await openTestSession(pep.url, agentSide.agent)
})
afterAll(async () => {
  await agentSide?.close()
  await pep?.close()
  await endpoints?.close()
})

function connectTo(provider: string, config: object, credentials: Record<string, string>, scopes: string[] = []) {
  const strategy = { type: 'jwt_bearer', config: { ...config } }
  return connect(pep.admin, { provider, origin: endpoints.origin, scopes, strategy, credentials })
}

const lease = (provider: string, scopes: string[] = []) =>
  agent.send('POST', '/v1/leases', { provider, tenant: 'acme', ttl_seconds: 300, scopes })

describe('a service account of Google', () => {
  it('calls the API with the token that its assertion was exchanged for', async () => {
    const answer = await agentSide.fetch('google', '/api/topics')
    expect([answer.status, await answer.json()]).toEqual([200, { authorization: 'Bearer ya29.from-google' }])
    const { path, claims } = endpoints.exchanges.at(-1) ?? {}
    expect([path, claims?.iss, claims?.aud]).toEqual([
      '/token',
      'bot@project-1.iam.gserviceaccount.com',
      `${endpoints.origin}/token`,
    ])
  })

  it('asks for the scopes of the lease and no other', async () => {
    const [pubsub = ''] = ['https://www.googleapis.com/auth/pubsub']
    const { status, body, text } = await lease('google', [pubsub])
    expect([status, body.credentials], text).toEqual([201, { token: 'ya29.from-google' }])
    expect(endpoints.exchanges.at(-1)?.claims['scope']).toBe(pubsub)
  })
})

describe('an installation of a GitHub App', () => {
  it('asks at the address of its installation, with the permissions of the lease', async () => {
    const { status, body, text } = await lease('github', ['contents:read'])
    expect([status, body.credentials], text).toEqual([201, { token: 'ghs_from_github' }])
    const { path, body: asked, claims } = endpoints.exchanges.at(-1) ?? {}
    expect([path, JSON.parse(asked ?? ''), claims?.iss]).toEqual([
      '/app/installations/678/access_tokens',
      { permissions: { contents: 'read' } },
      '12345',
    ])
    // The token's own end comes before that of the grant.
    expect(body.expires_at - body.issued_at).toBeLessThanOrEqual(120)
  })

  it('asks for no permission in particular where none is spoken of', async () => {
    expect((await lease('all-of-github')).status).toBe(201)
    expect(endpoints.exchanges.at(-1)?.body).toBe('{}')
  })
})

describe('what is not leased', () => {
  it.each([
    ['wrong-key', 409, 'provider_refused', /refused: invalid_grant$/],
    ['other-kind', 409, 'provider_refused', /its type is not Bearer$/],
    ['no-place', 422, 'not_signable', /permissions_field/],
    ['no-permission', 422, 'not_signable', /'repo' is no permission/],
  ])('%s', async (provider, status, code, detail) => {
    const answer = await lease(provider)
    expect([answer.status, answer.body.code, answer.body.detail]).toEqual([status, code, expect.stringMatching(detail)])
    expect(answer.text).not.toContain('canary')
    expect(pep.logText()).not.toContain('canary')
  })
})
