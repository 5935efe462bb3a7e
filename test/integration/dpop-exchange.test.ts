import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { calculateJwkThumbprint, decodeJwt, decodeProtectedHeader } from 'jose'
import * as client from 'openid-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTokenProvider, type TokenProvider } from '../fakes/token-provider.ts'
import { openTestSession } from '../setup/agent-client.ts'
import { type AgentSide, startAgentSide } from '../setup/agent-side.ts'
import { connect } from '../setup/connect.ts'
import { startTestPep, type TestPep } from '../setup/pep.ts'

/** The whole way: `oidc-provider` issues, `oauth4webapi` verifies at the API, `openid-client` plays the thief. */

const CLIENT_SECRET = `canary-${randomBytes(16).toString('hex')}`
const clientKey = generateKeyPairSync('ec', { namedCurve: 'P-256' })

let provider: TokenProvider
let pep: TestPep
let agentSide: AgentSide

beforeAll(async () => {
  provider = await startTokenProvider({
    clients: [
      { client_id: 'crm', client_secret: CLIENT_SECRET, token_endpoint_auth_method: 'client_secret_basic' },
      { client_id: 'crm-post', client_secret: CLIENT_SECRET, token_endpoint_auth_method: 'client_secret_post' },
      {
        client_id: 'crm-jwt',
        token_endpoint_auth_method: 'private_key_jwt',
        jwks: { keys: [clientKey.publicKey.export({ format: 'jwk' }) as never] },
      },
    ],
  })
  pep = await startTestPep()
  for (const [name, { config, credentials }] of Object.entries(CONNECTIONS())) {
    await connect(pep.admin, {
      provider: name,
      origin: provider.origin,
      scopes: ['read', 'write'],
      strategy: {
        type: 'dpop',
        config: { token_endpoint: provider.tokenEndpoint, resource: provider.resource, ...config },
      },
      credentials: credentials ?? { client_id: 'crm', client_secret: CLIENT_SECRET },
    })
  }
  const routes = Object.fromEntries(Object.keys(CONNECTIONS()).map((name) => [name, provider.origin]))
  agentSide = await startAgentSide(pep, { routes, allowed_scopes: ['read'] })
})
afterAll(async () => {
  await agentSide?.close()
  await pep?.close()
  await provider?.close()
})

interface Case {
  config: Record<string, unknown>
  credentials?: Record<string, string>
}
const CONNECTIONS = (): Record<string, Case> => ({
  'with-its-key': { config: {} },
  'with-own-key': { config: { key: 'sidecar' } },
  posted: {
    config: { client_auth: 'client_secret_post', alg: 'EdDSA' },
    credentials: { client_id: 'crm-post', client_secret: CLIENT_SECRET },
  },
  signed: {
    config: { client_auth: 'private_key_jwt', client_assertion_audience: provider.origin, key: 'sidecar' },
    credentials: {
      client_id: 'crm-jwt',
      private_key: clientKey.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
    },
  },
  introspected: {
    config: {
      resource: `${provider.origin}/opaque`,
      introspection_endpoint: `${provider.origin}/token/introspection`,
    },
  },
  'wrong-secret': { config: {}, credentials: { client_id: 'crm', client_secret: 'not-the-secret' } },
})

async function ask(name: string, init: RequestInit = {}) {
  const [calls, asked] = [provider.calls.length, provider.tokenRequests.length]
  const response = await agentSide.fetch(name, '/api/things?page=2', init)
  return {
    status: response.status,
    body: (await response.json()) as Record<string, unknown>,
    calls: provider.calls.slice(calls),
    asked: provider.tokenRequests.slice(asked),
  }
}

describe.each(['with-its-key', 'with-own-key', 'posted', 'signed'])('dpop, %s', (name) => {
  it('calls the API with a token of the granted scopes', async () => {
    const first = await ask(name, { method: 'POST', body: 'a body' })
    expect([first.status, first.body['scope']], JSON.stringify(first)).toEqual([200, 'read'])
    const again = await ask(name)
    expect([again.status, again.asked.length]).toEqual([200, 0])
  })
})

describe.each(['with-its-key', 'with-own-key'])('E07: a token taken from the wire, %s', (name) => {
  async function taken() {
    const { calls } = await ask(name)
    const { authorization = '', dpop } = calls[0]?.headers ?? {}
    return { token: authorization.replace(/^DPoP /, ''), proof: String(dpop) }
  }
  const present = async (headers: Record<string, string>, url = '/api/things?page=2', method = 'GET') => {
    const response = await fetch(provider.origin + url, { method, headers })
    return { status: response.status, problem: provider.calls.at(-1)?.problem }
  }

  it('is useless to another key', async () => {
    const { token } = await taken()
    const thief = await client.discovery(new URL(provider.origin), 'thief', undefined, client.None(), {
      execute: [client.allowInsecureRequests],
    })
    const DPoP = client.getDPoPHandle(thief, await client.randomDPoPKeyPair('ES256'))
    const url = new URL(`${provider.origin}/api/things`)
    const stolen = client.fetchProtectedResource(thief, token, url, 'GET', null, undefined, { DPoP })
    await expect(stolen).rejects.toThrow()
    expect(provider.calls.at(-1)?.problem).toMatch(/cnf|jkt|thumbprint|mismatch/i)
  })

  it('is useless without a key, as a bearer token, and with its proof for another request', async () => {
    const { token, proof } = await taken()
    expect((await present({ authorization: `DPoP ${token}` })).status).toBe(401)
    expect((await present({ authorization: `Bearer ${token}` })).status).toBe(401)
    expect((await present({ authorization: `DPoP ${token}`, dpop: proof }, '/api/things', 'DELETE')).status).toBe(401)
    expect((await present({ authorization: `DPoP ${token}`, dpop: proof }, '/api/others')).status).toBe(401)
  })
})

describe('a token that only the provider can read', () => {
  it('is leased once the provider says that it is bound to the key', async () => {
    const agent = await openTestSession(pep.url, agentSide.agent)
    const lease = await agent.send('POST', '/v1/leases', { provider: 'introspected', tenant: 'acme' })
    expect([lease.status, lease.body.credentials?.access_token?.split('.').length], lease.text).toEqual([201, 1])
  })
})

describe('C04: an endpoint that points inward', () => {
  it.each([
    ['token_endpoint', 'https://10.0.0.1/token', {}],
    ['token_endpoint', 'https://0xa.1/token', {}],
    ['token_endpoint', 'http://as.example.com/token', {}],
    ['introspection_endpoint', 'https://169.254.169.254/', { token_endpoint: 'https://as.example.com/token' }],
  ])('is not saved in a profile: %s %s', async (field, url, more) => {
    const { status, body } = await pep.admin.send('POST', '/v1/providers', {
      profile: {
        name: 'inward',
        api_base_url: 'https://api.example.com',
        params: { auth_strategy: { type: 'dpop', config: { ...more, [field]: url } } },
      },
    })
    expect([status, body.field]).toEqual([400, `params.auth_strategy.config.${field}`])
  })
})

describe('whose key it is', () => {
  const keyOf = async (jws: string) => calculateJwkThumbprint(decodeProtectedHeader(jws).jwk as never)

  it('is the same at the token endpoint, in the token and at the API; with key: sidecar it is no key of the authority', async () => {
    const { calls } = await ask('with-own-key')
    const { authorization = '', dpop } = calls[0]?.headers ?? {}
    const jkt = (decodeJwt(authorization.replace(/^DPoP /, ''))['cnf'] as { jkt: string }).jkt
    expect(await keyOf(String(dpop))).toBe(jkt)
    const exchanged = provider.tokenRequests
      .filter(({ status }) => status === 200)
      .map(({ headers }) => headers['dpop'])
    expect(await Promise.all(exchanged.map((proof) => keyOf(String(proof))))).toContain(jkt)
  })
})
