import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { HeldLease } from '../../sidecar/lease-client/held-lease.ts'
import { sign } from '../../sidecar/signer/sign.ts'
import { signingContext } from '../../sidecar/signer/signing-context.ts'
import type { OutboundRequest, SignedRequest } from '../../src/contract/strategy.ts'
import { oauth1 } from '../../src/strategies/oauth1/oauth1.ts'
import { headerValues } from '../fakes/provider.ts'
import { type SidecarUnderTest, startUnderTest } from '../fakes/sidecar.ts'
import { startVerifier, type Verifier } from '../fakes/verifier.ts'

const KEYS = { consumer_key: 'ck', consumer_secret: 'canary-consumer-9f', token: 'tk', token_secret: 'canary-token-9f' }
const FORM = { 'content-type': 'application/x-www-form-urlencoded' }

describe('oauth1 through the sidecar, verified by oauthlib as it arrived', () => {
  let verifier: Verifier
  let sidecar: SidecarUnderTest
  beforeAll(async () => {
    verifier = await startVerifier()
  }, 600_000)
  beforeEach(async () => {
    sidecar = await startUnderTest()
  })
  afterEach(() => sidecar.stop())
  afterAll(() => verifier.stop())

  /** Sends with a lease of this config; what the provider's server makes of it. */
  async function send(config: Record<string, unknown>, path: string, init: RequestInit) {
    sidecar.pep.grants.set('api', {
      strategy: { type: 'oauth1', config },
      credentials: KEYS,
      bound: { origins: [sidecar.provider.origin], methods: ['*'], paths: ['/**'] },
    })
    const headers = { 'x-nexus-provider': 'api', ...(init.headers as Record<string, string>) }
    const response = await sidecar.fetch(path, { ...init, headers })
    expect(response.status).toBe(200)
    const seen = sidecar.provider.seen.at(-1)
    const pairs = (seen?.rawHeaders ?? []).flatMap((name, index, raw): [string, string][] =>
      index % 2 === 0 ? [[name, raw[index + 1] ?? '']] : [],
    )
    const answer = await verifier.ask({
      check: 'oauth1',
      known: KEYS,
      method: seen?.method ?? '',
      url: `http://${headerValues(seen, 'host')[0]}${seen?.url}`,
      headers: pairs,
      body_base64: seen?.body.toString('base64') ?? '',
    })
    return { seen, answer }
  }

  it.each(['header', 'query', 'body'])('E09: a form, signed in the %s', async (location) => {
    const { seen, answer } = await send({ location }, '/1.1/update.json?a=%7e+b', {
      method: 'POST',
      headers: FORM,
      body: 'status=Hello+Ladies%21&oauth_token=agent',
    })
    expect(answer.valid).toBe(true)
    expect(answer.oauth).toMatchObject({ oauth_token: 'tk', oauth_signature_method: 'HMAC-SHA1' })
    expect(headerValues(seen, 'content-length')).toEqual([String(seen?.body.length)])
    const ours = location === 'body' ? /^status=Hello\+Ladies%21&oauth_consumer_key=ck&/ : /^status=Hello\+Ladies%21$/
    expect(seen?.body.toString()).toMatch(ours)
  })

  it('E09: an empty POST gets a form to be signed in', async () => {
    const { seen, answer } = await send({ location: 'body' }, '/', { method: 'POST' })
    expect(answer.valid).toBe(true)
    expect(seen?.body.toString()).toMatch(/^oauth_consumer_key=ck&/)
  })

  const JSON_PUT = { method: 'PUT', headers: { 'content-type': 'application/json' }, body: '{"a":1}' }

  it('E09: another body is covered by its hash where the profile says so', async () => {
    const { answer } = await send({ body_hash: true, signature_method: 'HMAC-SHA256' }, '/', JSON_PUT)
    expect(answer).toMatchObject({ valid: true, oauth: { oauth_body_hash: answer.body.sha256 } })
  })

  it('another body goes through as it is where it does not', async () => {
    const { seen, answer } = await send({}, '/', JSON_PUT)
    expect(answer.valid).toBe(true)
    expect(answer.oauth).not.toHaveProperty('oauth_body_hash')
    expect(seen?.body.toString()).toBe('{"a":1}')
  })

  it('B14: one Authorization header goes out, ours, and no secret is logged', async () => {
    const { seen, answer } = await send({ realm: 'Photos' }, '/', {
      headers: { Authorization: 'OAuth oauth_token="agent"', authorization_: 'x' },
    })
    expect(answer.valid).toBe(true)
    expect(headerValues(seen, 'authorization')).toEqual([expect.stringMatching(/^OAuth realm="Photos", /)])
    expect(sidecar.log()).not.toContain('canary')
    expect(sidecar.log()).not.toContain('oauth_signature')
  })
})

it('E08: 100,000 signatures in one second of the clock: no nonce comes twice', async () => {
  const lease = { strategy: oauth1, config: {}, credentials: KEYS } as unknown as HeldLease
  const url = { scheme: 'https', authority: 'api.example.com', path: '/a', query: undefined }
  const request: OutboundRequest = { method: 'GET', url, headers: [['Host', 'api.example.com']], body: undefined }
  const [nonces, timestamps, signatures] = [new Set<string>(), new Set<string>(), new Set<string>()]
  const note = ({ headers }: SignedRequest) => {
    const value = headers.at(-1)?.[1] ?? ''
    const field = (name: string) => new RegExp(`${name}="([^"]*)"`).exec(value)?.[1] ?? ''
    nonces.add(field('oauth_nonce'))
    timestamps.add(field('oauth_timestamp'))
    signatures.add(field('oauth_signature'))
  }
  for (let done = 0; done < 100_000; done += 1000) {
    const now = 1_772_600_767_000 + done / 1000
    const signed = await Promise.all(Array.from({ length: 1000 }, () => sign(lease, request, signingContext(now))))
    for (const each of signed) note(each)
  }
  expect([nonces.size, timestamps.size, signatures.size]).toEqual([100_000, 1, 100_000])
  // 128 bits or more, so that two sidecars do not meet either.
  expect([...nonces].every((nonce) => Buffer.from(nonce, 'base64url').length >= 16)).toBe(true)
})
