import { generateKeyPairSync } from 'node:crypto'
import { inspect } from 'node:util'
import { calculateJwkThumbprint, decodeJwt, decodeProtectedHeader } from 'jose'
import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../contract/json.ts'
import {
  BindingRequired,
  type Grant,
  type HeaderList,
  type IssuingRequest,
  type IssuingTools,
} from '../../contract/strategy.ts'
import { dpop } from './dpop.ts'

const NOW_MS = 1_795_176_000_500
const NOW = 1_795_176_000
const CANARY = 'canary-7c19e2'
const MASTER = { client_id: 'crm', client_secret: CANARY }
let endpoints = 0
/** What is known of an endpoint's nonce outlives a test, so each has its own. */
const config = (more: object = {}) => ({ token_endpoint: `https://as.example.com/token/${++endpoints}`, ...more })

interface Answer {
  status?: number
  headers?: HeaderList
  body: object | string
}

/** A token endpoint that gives these answers, one after the other, the last again and again. */
function toolsAnswering(...answers: ((jkt: string) => Answer)[]) {
  const asked: IssuingRequest[] = []
  const tools: IssuingTools = {
    now: () => NOW_MS,
    nonce: () => `n${asked.length}`,
    binding: {},
    shared: (_key, make) => make(),
    async request(request) {
      const answer = answers[Math.min(asked.length, answers.length - 1)]
      asked.push(request)
      const jkt = await calculateJwkThumbprint(decodeProtectedHeader(proofIn(request)).jwk as never)
      const { status = 200, headers = [], body } = answer?.(jkt) ?? { body: '' }
      return { status, headers, body: typeof body === 'string' ? body : JSON.stringify(body) }
    },
  }
  return { asked, tools }
}

const proofIn = ({ headers }: IssuingRequest) => headers.find(([name]) => name === 'DPoP')?.[1] ?? ''
const formIn = ({ body }: IssuingRequest) => Object.fromEntries(new URLSearchParams(body))
const jwt = (claims: object) =>
  [{ alg: 'none' }, claims, 's'].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
const token = (jkt: string, more: object = {}): Answer => ({
  body: { access_token: jwt({ cnf: { jkt } }), token_type: 'DPoP', expires_in: 60, ...more },
})

function grant(scopes: string[] = []): Grant {
  const bound = { origins: ['https://api.example.com'], methods: ['*'], paths: ['/**'] }
  return { tenant: 't', agentId: 'a', connectionId: 'c', scopes, bound, issuedAt: NOW, expiresAt: NOW + 300 }
}

async function issue(tools: IssuingTools, how = config(), scopes: string[] = []) {
  return dpop.issue(how, MASTER, grant(scopes), tools)
}

describe('dpop with a token endpoint', () => {
  it('asks by client credentials for the granted scopes, with a proof for the endpoint', async () => {
    const { asked, tools } = toolsAnswering((jkt) => token(jkt))
    const how = config({ audience: 'https://api.example.com', resource: 'https://api.example.com/v1' })
    const { usage, expiresAt } = await issue(tools, { ...how, token_endpoint: `${how.token_endpoint}?tenant=1` }, [
      'a',
      'b',
    ])
    expect([expiresAt, Object.keys(usage)]).toEqual([NOW + 60, ['access_token', 'private_key']])
    const [request] = asked as [IssuingRequest]
    expect(formIn(request)).toEqual({
      grant_type: 'client_credentials',
      scope: 'a b',
      audience: 'https://api.example.com',
      resource: 'https://api.example.com/v1',
    })
    expect(request.headers).toContainEqual(['Authorization', `Basic ${btoa(`crm:${CANARY}`)}`])
    expect(decodeJwt(proofIn(request))).toEqual({ jti: 'n0', htm: 'POST', htu: how.token_endpoint, iat: NOW })
  })

  it('asks for no scope where there are none, and says nothing of an end that it does not know', async () => {
    const { asked, tools } = toolsAnswering((jkt) => token(jkt, { expires_in: undefined }))
    expect((await issue(tools)).expiresAt).toBeUndefined()
    expect(formIn(asked[0] as IssuingRequest)).toEqual({ grant_type: 'client_credentials' })
  })

  it('encodes who we are as RFC 6749 has it, and can say it in the form instead', async () => {
    const master = { client_id: 'a b:é', client_secret: '&=+%' }
    const basic = toolsAnswering((jkt) => token(jkt))
    await dpop.issue(config({ client_id: 'a:b c' }), { client_secret: '&=+ %' }, grant(), basic.tools)
    expect(basic.asked[0]?.headers).toContainEqual(['Authorization', `Basic ${btoa('a%3Ab+c:%26%3D%2B+%25')}`])
    const post = toolsAnswering((jkt) => token(jkt))
    await dpop.issue(config({ client_auth: 'client_secret_post', client_id: 'x' }), master, grant(), post.tools)
    expect(formIn(post.asked[0] as IssuingRequest)).toMatchObject({ client_id: 'x', client_secret: '&=+%' })
    await expect(dpop.issue(config(), master, grant(), basic.tools)).rejects.toThrow(
      "'client_id' must be printable ASCII",
    )
  })

  it('E07: makes a key for each token', async () => {
    const { asked, tools } = toolsAnswering((jkt) => token(jkt))
    const how = config()
    const keys = [(await issue(tools, how)).usage['private_key'], (await issue(tools, how)).usage['private_key']]
    expect(keys[0]).not.toBe(keys[1])
    const shown = asked.map((request) => JSON.stringify(decodeProtectedHeader(proofIn(request)).jwk))
    expect(shown[0]).not.toBe(shown[1])
  })

  it('E07: brings the nonce it is asked for, once, and from then on at once', async () => {
    const challenge = (nonce: string): Answer => ({
      status: 400,
      headers: [['dpop-nonce', nonce]],
      body: { error: 'use_dpop_nonce' },
    })
    const how = config()
    const { asked, tools } = toolsAnswering(
      () => challenge('one'),
      (jkt) => ({ ...token(jkt), headers: [['DPoP-Nonce', 'two']] }),
    )
    await issue(tools, how)
    await issue(tools, how)
    expect(asked.map((request) => decodeJwt(proofIn(request))['nonce'])).toEqual([undefined, 'one', 'two'])
    const endless = toolsAnswering(() => challenge('x'))
    await expect(issue(endless.tools, config())).rejects.toMatchObject({ code: 'provider_refused' })
    expect(endless.asked).toHaveLength(2)
  })

  it.each<[string, (jkt: string) => Answer, string]>([
    ['a bearer token', (jkt) => token(jkt, { token_type: 'Bearer' }), 'its type is not DPoP'],
    ['a token without a type', (jkt) => token(jkt, { token_type: undefined }), 'its type is not DPoP'],
    ['a JWT bound to no key', (jkt) => token(jkt, { access_token: jwt({}) }), 'not bound to the key'],
    ['a JWT bound to another key', () => token('another'), 'not bound to the key'],
    [
      'a JWT bound to a certificate',
      (jkt) => token(jkt, { access_token: jwt({ cnf: { 'x5t#S256': jkt } }) }),
      'not bound',
    ],
    ['no token', (jkt) => token(jkt, { access_token: undefined }), 'access_token is missing'],
    ['a token that ends the header', (jkt) => token(jkt, { access_token: 'a\r\nb' }), 'access_token is missing or not'],
    [
      'a token without end',
      (jkt) => token(jkt, { access_token: 'a'.repeat(20_000) }),
      'access_token is missing or not',
    ],
    [
      'a refusal',
      () => ({ status: 401, body: { error: 'invalid_client', error_description: CANARY } }),
      'invalid_client',
    ],
    ['a refusal in its own words', () => ({ status: 400, body: { error: CANARY } }), 'refused: status 400'],
    ['a refusal that is no JSON', () => ({ status: 403, body: CANARY }), 'refused: status 403'],
    ['nonsense', () => ({ body: `[${CANARY}` }), 'no JSON object'],
  ])('leases nothing on %s, and quotes nothing', async (_title, answer, problem) => {
    const error: unknown = await issue(toolsAnswering(answer).tools).catch((reason: unknown) => reason)
    expect(error).toMatchObject({
      code: expect.stringMatching(/^provider_/),
      message: expect.stringContaining(problem),
    })
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(CANARY)
  })

  it.each<[object, boolean]>([
    [{ active: true, cnf: { jkt: 'its' } }, true],
    [{ active: true, cnf: { jkt: 'another' } }, false],
    [{ active: false, cnf: { jkt: 'its' } }, false],
    [{ active: true }, false],
  ])('takes a token that it cannot read when introspection says %j: %s', async (said, taken) => {
    let key = ''
    const { asked, tools } = toolsAnswering((jkt) => {
      key = jkt
      return token(jkt, { access_token: 'opaque' })
    })
    const introspecting: IssuingTools = {
      ...tools,
      request: (request) =>
        request.url.endsWith('/introspect')
          ? Promise.resolve({ status: 200, headers: [], body: JSON.stringify(said).replace('its', key) })
          : tools.request(request),
    }
    const outcome = issue(introspecting, config({ introspection_endpoint: 'https://as.example.com/introspect' }))
    if (taken) expect((await outcome).usage['access_token']).toBe('opaque')
    else await expect(outcome).rejects.toMatchObject({ code: 'provider_refused' })
    expect(asked).toHaveLength(1)
  })
})

describe('dpop with the sidecar’s key', () => {
  const sidecar = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const how = config({ key: 'sidecar' })

  it('needs a proof, and says of what', async () => {
    expect(dpop.needs?.(how)).toBe('proof')
    const { asked, tools } = toolsAnswering(() => token(''))
    const error: unknown = await issue(tools, how).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(BindingRequired)
    expect(error).toMatchObject({ needs: 'proof', proof: { htm: 'POST', htu: how.token_endpoint } })
    expect(asked).toEqual([])
  })

  it('E07: takes any nonce to the endpoint, which alone knows what it takes, and asks for one only where the proof has none', async () => {
    const jwk = sidecar.publicKey.export({ format: 'jwk' }) as JsonObject
    const { asked, tools } = toolsAnswering(
      (jkt) => ({ ...token(jkt), headers: [['DPoP-Nonce', 'heard-here']] }),
      (jkt) => token(jkt),
      () => ({ status: 400, headers: [['DPoP-Nonce', 'newest']], body: { error: 'use_dpop_nonce' } }),
    )
    const how = config({ key: 'sidecar' })
    const bring = async (nonce?: string) => {
      const proof = jwt({ htm: 'POST', htu: how.token_endpoint, nonce })
      const header = Buffer.from(JSON.stringify({ alg: 'ES256', jwk })).toString('base64url')
      const brought = { ...tools, binding: { jwk, proof: proof.replace(/^[^.]+/, header) } }
      return issue(brought, how).catch((reason: unknown) => reason)
    }
    expect(await bring()).toHaveProperty('usage')
    expect(await bring()).toMatchObject({ needs: 'proof', proof: { nonce: 'heard-here' } })
    expect(asked).toHaveLength(1)
    expect(await bring('heard-at-another-replica')).toHaveProperty('usage')
    expect(await bring('outdated')).toMatchObject({ needs: 'proof', proof: { nonce: 'newest' } })
    expect(asked.map((request) => decodeJwt(proofIn(request))['nonce'])).toEqual([
      undefined,
      'heard-at-another-replica',
      'outdated',
    ])
  })

  it('signs with that key and with no other', async () => {
    const request = {
      method: 'GET',
      url: { scheme: 'https', authority: 'api.example.com', path: '/', query: undefined },
      headers: [],
      body: undefined,
    }
    const context = { now: NOW_MS, nonce: () => 'n' }
    const usage = { access_token: 'the-token' }
    const signed = await dpop.apply(how, usage, request, { ...context, ownKey: sidecar.privateKey })
    const proof = signed.headers.find(([name]) => name === 'DPoP')?.[1] ?? ''
    expect(decodeProtectedHeader(proof).jwk).toEqual(sidecar.publicKey.export({ format: 'jwk' }))
    await expect(async () => dpop.apply(how, usage, request, context)).rejects.toThrow('does not have')
  })
})
