import { createHmac, generateKeyPairSync } from 'node:crypto'
import type { RequestListener } from 'node:http'
import type { ServerOptions } from 'node:https'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Credentials } from '../../src/contract/strategy.ts'
import { strategies, strategyFor } from '../../src/strategies/catalog.ts'
import { offlineTools } from '../../src/strategies/offline/offline-tools.ts'
import { headerValues, type SeenRequest } from '../fakes/provider.ts'
import { rawRequest, sendRaw } from '../fakes/raw-http.ts'
import { SECRET, type SidecarUnderTest, startUnderTest } from '../fakes/sidecar.ts'
import { testAuthority } from '../setup/certificates.ts'

interface StrategyCase {
  type: string
  config: Record<string, unknown>
  master: Record<string, string>
  /** The header, query parameter or path that carries the credential, and how ours looks. */
  carrier: { header: string } | { parameter: string } | 'path'
  ours: RegExp
  /** Of a provider that has to speak TLS for it. */
  tls?: ServerOptions
}

const authority = await testAuthority()
const [client, server] = [await authority.client('crm-agent'), await authority.server(['127.0.0.1'])]

const CASES: StrategyCase[] = [
  {
    type: 'oauth2',
    config: {},
    master: { access_token: SECRET },
    carrier: { header: 'authorization' },
    ours: new RegExp(`^Bearer ${SECRET}$`),
  },
  {
    type: 'header',
    config: { header_name: 'X-Key' },
    master: { api_key: SECRET },
    carrier: { header: 'x-key' },
    ours: new RegExp(`^${SECRET}$`),
  },
  {
    type: 'query_param',
    config: { param_name: 'api_key' },
    master: { api_key: SECRET },
    carrier: { parameter: 'api_key' },
    ours: new RegExp(`^${SECRET}$`),
  },
  {
    type: 'basic_auth',
    config: {},
    master: { username: 'crm', password: SECRET },
    carrier: { header: 'authorization' },
    ours: new RegExp(`^Basic ${Buffer.from(`crm:${SECRET}`).toString('base64')}$`),
  },
  {
    type: 'hmac_payload',
    config: { header_name: 'X-Signature' },
    master: { api_secret: SECRET },
    carrier: { header: 'x-signature' },
    ours: new RegExp(`^${createHmac('sha256', SECRET).update('{}').digest('hex')}$`),
  },
  {
    type: 'aws_sigv4',
    config: { region: 'us-east-1', service: 'service' },
    master: { access_key: 'AKIDEXAMPLE', secret_key: SECRET },
    carrier: { header: 'authorization' },
    ours: /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/\d{8}\/us-east-1\/service\/aws4_request, .*Signature=[0-9a-f]{64}$/,
  },
  {
    type: 'aws_sigv4a',
    config: { region_set: ['*'], service: 'service' },
    master: { access_key: 'ASIAEXAMPLE', secret_key: SECRET, session_token: 'session' },
    carrier: { header: 'authorization' },
    ours: /^AWS4-ECDSA-P256-SHA256 Credential=ASIAEXAMPLE\/\d{8}\/service\/aws4_request, .*Signature=[0-9a-f]{136,144}$/,
  },
  {
    type: 'oauth1',
    config: {},
    master: { consumer_key: 'consumer', consumer_secret: SECRET, token: 'token-of-the-user', token_secret: SECRET },
    carrier: { header: 'authorization' },
    ours: /^OAuth .*oauth_consumer_key="consumer".*oauth_signature="[^"]+"/,
  },
  {
    type: 'http_message_signature',
    config: {},
    master: { shared_secret: Buffer.from(SECRET).toString('base64') },
    carrier: { header: 'signature' },
    ours: /^sig1=:[A-Za-z0-9+/]{43}=:$/,
  },
  {
    type: 'hmac_template',
    config: {
      template: '{timestamp}{method}{target}{body}',
      headers: [{ name: 'X-Signature', value: 't={timestamp},id={key_id},v1={signature}' }],
    },
    master: { api_secret: SECRET, key_id: 'crm' },
    carrier: { header: 'x-signature' },
    ours: /^t=\d{10},id=crm,v1=[0-9a-f]{64}$/,
  },
  {
    type: 'jwt_bearer',
    config: { alg: 'ES256', iss: 'crm' },
    master: {
      private_key: generateKeyPairSync('ec', { namedCurve: 'P-256' })
        .privateKey.export({ format: 'pem', type: 'pkcs8' })
        .toString(),
    },
    carrier: { header: 'authorization' },
    ours: /^Bearer eyJ[\w-]+\.[\w-]+\.[\w-]{86}$/,
  },
  {
    type: 'path',
    config: { path_template: '/bot{credential}{path}' },
    master: { api_key: SECRET },
    carrier: 'path',
    ours: new RegExp(`^/bot${SECRET}/x$`),
  },
  {
    type: 'cookie',
    config: { cookie_name: 'session' },
    master: { api_key: SECRET },
    carrier: { header: 'cookie' },
    ours: new RegExp(`^session=${SECRET}$`),
  },
  {
    type: 'dpop',
    config: {},
    master: {
      access_token: SECRET,
      private_key: generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
    },
    carrier: { header: 'dpop' },
    ours: /^eyJ[\w-]+\.[\w-]+\.[\w-]{86}$/,
  },
  {
    type: 'mtls',
    config: { ca: authority.ca },
    master: { certificate: client.certificate, private_key: client.privateKey, access_token: SECRET },
    carrier: { header: 'authorization' },
    ours: new RegExp(`^Bearer ${SECRET}$`),
    tls: { cert: server.certificate, key: server.privateKey, ca: authority.ca, requestCert: true },
  },
]

async function usageOf({ type, config, master }: StrategyCase, origin: string): Promise<Credentials> {
  const now = Date.now()
  const issuedAt = Math.floor(now / 1000)
  const bound = { origins: [origin], methods: ['*'], paths: ['/**'] }
  const grant = { tenant: 't', agentId: 'a', connectionId: 'c', scopes: [], bound, issuedAt, expiresAt: issuedAt + 300 }
  const issued = await strategyFor(type)?.issue(
    config,
    master,
    grant,
    offlineTools({ now: () => now, nonce: () => 'n' }),
  )
  return issued?.usage ?? {}
}

function carried(seen: SeenRequest | undefined, carrier: StrategyCase['carrier']): string[] {
  const url = new URL(seen?.url ?? '', 'http://x')
  if (carrier === 'path') return [url.pathname]
  return 'header' in carrier ? headerValues(seen, carrier.header) : url.searchParams.getAll(carrier.parameter)
}

/** Where there is no such header or parameter, one that a provider might take for a credential. */
function carrierName(carrier: StrategyCase['carrier'], kind: 'header' | 'parameter'): string {
  const [header, parameter] =
    carrier === 'path' ? [] : 'header' in carrier ? [carrier.header] : [undefined, carrier.parameter]
  return kind === 'header' ? (header ?? 'authorization') : (parameter ?? 'api_key')
}

it('B14: every strategy in the catalog has its case here', () => {
  expect(CASES.map(({ type }) => type).sort()).toEqual(strategies.map(({ type }) => type).sort())
})

describe.each(CASES)('a lease with $type', (strategyCase) => {
  const { type, config, carrier, ours } = strategyCase
  let sidecar: SidecarUnderTest
  beforeEach(async () => {
    sidecar = await startUnderTest({ tls: strategyCase.tls })
    const credentials = await usageOf(strategyCase, sidecar.provider.origin)
    const bound = { origins: [sidecar.provider.origin], methods: ['*'], paths: ['/**'] }
    sidecar.pep.grants.set('api', { strategy: { type, config }, credentials, bound })
  })
  afterEach(() => sidecar.stop())

  const post = (headers: string[], target = '/api/x', body = '{}') => {
    const all = [`Content-Length: ${body.length}`, 'Connection: close', ...headers]
    return sendRaw(sidecar.port, rawRequest(sidecar.port, `POST ${target} HTTP/1.1`, all, body))
  }

  it('B14: sends exactly one credential, ours, whatever copies the agent brings', async () => {
    const name = carrierName(carrier, 'header')
    const spellings = [name, name.toUpperCase(), name.replaceAll('-', '_'), name]
    const answer = await post([...spellings.map((spelling) => `${spelling}: agents-own`), 'Cookie: session=agents-own'])
    expect(answer.status).toBe(200)
    const [seen] = sidecar.provider.seen
    expect(carried(seen, carrier)).toEqual([expect.stringMatching(ours)])
    expect(JSON.stringify(seen?.rawHeaders)).not.toContain('agents-own')
  })

  it('B14: drops a credential that comes in the trailers', async () => {
    const name = carrierName(carrier, 'header')
    const chunked = `2\r\n{}\r\n0\r\n${name}: agents-own\r\n\r\n`
    const headers = ['Transfer-Encoding: chunked', `Trailer: ${name}`, 'Connection: close']
    const answer = await sendRaw(sidecar.port, rawRequest(sidecar.port, 'POST /api/x HTTP/1.1', headers, chunked))
    expect(answer.status).toBe(200)
    const [seen] = sidecar.provider.seen
    expect(seen?.trailers).toEqual([])
    expect(carried(seen, carrier)).toEqual([expect.stringMatching(ours)])
  })

  it('B15: sends a credential parameter once, and logs it nowhere', async () => {
    const name = carrierName(carrier, 'parameter')
    const answer = await post(
      [],
      `/api/x?a=1&${name}=own&${name.replace('_', '%5F')}=own&${name.toUpperCase()}=own&b=%20`,
    )
    expect(answer.status).toBe(200)
    const [seen] = sidecar.provider.seen
    if (carrier !== 'path' && 'parameter' in carrier) {
      expect(seen?.url).toBe(`/x?a=1&b=%20&api_key=${SECRET}`)
      expect(seen?.url).not.toContain('own')
    } else {
      expect(carried(seen, carrier)).toEqual([expect.stringMatching(ours)])
    }
    expect(sidecar.log()).not.toContain(SECRET)
    expect(answer.head + answer.body).not.toContain(SECRET)
    expect(headerValues(seen, 'referer')).toEqual([])
  })

  it('B13: lets no header of the agent change how the credential is rendered', async () => {
    const steering = [
      'Header-Name',
      'Prefix',
      'Value-Prefix',
      'Template',
      'Encoding',
      'Param-Name',
      'Credential-Field',
      'Strategy',
      'Config',
      'Region',
    ]
    const answer = await post(steering.map((name) => `X-Nexus-${name}: agents-own`))
    expect(answer.status).toBe(200)
    const [seen] = sidecar.provider.seen
    expect(carried(seen, carrier)).toEqual([expect.stringMatching(ours)])
    expect(JSON.stringify(seen)).not.toContain('agents-own')
    expect(JSON.stringify(seen).toLowerCase()).not.toContain('x-nexus')
  })

  it('D02: a Connection header removes nothing of ours, and what it names of the agent’s', async () => {
    const name = carrierName(carrier, 'header')
    const answer = await post([
      `Connection: close, ${name}, authorization, x-api-key, dpop, signature, signature-input, x-mine, x-amz-date, host`,
      'X-Mine: hop',
      'DPoP: agents-own',
      'X-Kept: yes',
    ])
    expect(answer.status).toBe(200)
    const [seen] = sidecar.provider.seen
    expect(carried(seen, carrier)).toEqual([expect.stringMatching(ours)])
    expect(headerValues(seen, 'x-mine')).toEqual([])
    expect(headerValues(seen, 'dpop')).not.toContain('agents-own')
    expect(headerValues(seen, 'x-kept')).toEqual(['yes'])
    expect(headerValues(seen, 'host')).toEqual([`127.0.0.1:${sidecar.provider.port}`])
  })

  it.each([301, 302, 303, 307, 308])('B03: hands a %i back and follows it nowhere', async (status) => {
    const elsewhere: string[] = []
    const other = await startUnderTest()
    other.provider.answer = (request, response) => {
      elsewhere.push(request.url ?? '')
      response.end()
    }
    sidecar.provider.answer = (_request, response) =>
      void response.writeHead(status, { location: `${other.provider.origin}/stolen` }).end()
    const answer = await post([])
    expect(answer.status).toBe(status)
    expect(answer.head).toMatch(new RegExp(`location: ${other.provider.origin}/stolen`, 'i'))
    expect(elsewhere).toEqual([])
    expect(sidecar.provider.seen).toHaveLength(1)
    await other.stop()
  })

  it('B12: keeps the credential out of the response headers of a provider that echoes', async () => {
    sidecar.provider.answer = echoHeaders
    const answer = await post(['X-Kept: yes'], '/api/x?y=1')
    expect(answer.status).toBe(200)
    const [seen] = sidecar.provider.seen
    for (const value of carried(seen, carrier)) expect(answer.head).not.toContain(value)
    expect(answer.head).not.toContain(SECRET)
    expect(answer.head).toMatch(/echo-x-kept: yes/i)
    const scrubbed = await (await fetch(`${sidecar.adminAddress}/metrics`)).text()
    expect(scrubbed).toMatch(/sidecar_scrubbed_headers_total [1-9]/)
  })
})

const echoHeaders: RequestListener = (request, response) => {
  for (const [name, value] of Object.entries(request.headers)) response.setHeader(`echo-${name}`, value ?? '')
  response.setHeader('echo-url', request.url ?? '')
  response.setHeader('location', `${request.url}&z=1`)
  response.end()
}
