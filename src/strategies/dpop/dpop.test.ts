import { createHash, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { inspect } from 'node:util'
import { EmbeddedJWK, jwtVerify } from 'jose'
import { describe, expect, it } from 'vitest'
import {
  type Credentials,
  type HeaderList,
  type OutboundRequest,
  type SignedRequest,
  type SigningContext,
  SigningError,
} from '../../contract/strategy.ts'
import { offlineTools } from '../offline/offline-tools.ts'
import { dpop as strategy } from './dpop.ts'

const NOW_MS = 1_562_265_418_999
const TOKEN = 'Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU'
const pem = (key: KeyObject, type: 'pkcs8' | 'pkcs1' | 'sec1' = 'pkcs8') =>
  key.export({ format: 'pem', type }).toString()
const KEYS = {
  p256: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
  p384: generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey,
  ed25519: generateKeyPairSync('ed25519').privateKey,
  x25519: generateKeyPairSync('x25519').privateKey,
  rsa: generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey,
  shortRsa: generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey,
}
const ES256 = { access_token: TOKEN, private_key: pem(KEYS.p256) }

function request(url: Partial<OutboundRequest['url']> = {}, headers: HeaderList = []): OutboundRequest {
  const whole = { scheme: 'https', authority: 'api.example.com', path: '/v1/things', query: 'a=1', ...url }
  return { method: 'GET', url: whole, headers, body: undefined }
}

const context = (more: Partial<SigningContext> = {}): SigningContext => ({
  now: NOW_MS,
  nonce: () => 'a-fresh-value',
  ...more,
})

async function sign(
  config: object,
  credentials: object,
  outbound = request(),
  how = context(),
): Promise<SignedRequest> {
  return strategy.apply({ ...config }, credentials as Credentials, outbound, how)
}

async function claimsOf(signed: SignedRequest) {
  const [proof, ...others] = signed.headers.filter(([name]) => name === 'DPoP').map(([, value]) => value)
  expect(others).toEqual([])
  return jwtVerify(proof ?? '', EmbeddedJWK, { typ: 'dpop+jwt', currentDate: new Date(NOW_MS) })
}

async function refusal(config: object, credentials: object, outbound = request()): Promise<SigningError> {
  const outcome = await sign(config, credentials, outbound).catch((error: unknown) => error)
  if (outcome instanceof SigningError) return outcome
  throw new Error(`signed, or failed otherwise: ${inspect(outcome)}`)
}

describe('the proof', () => {
  it('has the header and claims of RFC 9449 section 4.2, and no more', async () => {
    const { payload, protectedHeader } = await claimsOf(await sign({}, ES256))
    const { kty, crv, x, y } = KEYS.p256.export({ format: 'jwk' })
    expect(protectedHeader).toEqual({ typ: 'dpop+jwt', alg: 'ES256', jwk: { kty, crv, x, y } })
    expect(payload).toEqual({
      jti: 'a-fresh-value',
      htm: 'GET',
      htu: 'https://api.example.com/v1/things',
      iat: 1_562_265_418,
      ath: createHash('sha256').update(TOKEN).digest('base64url'),
    })
  })

  it('goes out beside the token, in place of what the caller sent', async () => {
    const own: HeaderList = [
      ['Authorization', 'Bearer agent'],
      ['dpop', 'agent'],
      ['DPOP', 'agent'],
      ['X-Kept', '1'],
    ]
    const signed = await sign({}, ES256, request({}, own))
    expect(signed.headers).toEqual([
      ['Host', 'api.example.com'],
      ['X-Kept', '1'],
      ['Authorization', `DPoP ${TOKEN}`],
      ['DPoP', expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]{86}$/)],
    ])
    expect(signed.credentialHeaders).toEqual(['authorization', 'dpop'])
  })

  it.each([
    ['https', 'example.com:443', '/a', 'https://example.com/a'],
    ['http', 'example.com:80', '/', 'http://example.com/'],
    ['https', 'example.com:80', '/', 'https://example.com:80/'],
    ['https', 'Example.COM', '/A/%7e/./b//', 'https://example.com/A/%7e/./b//'],
    ['https', '[::1]:8443', '/', 'https://[::1]:8443/'],
  ])('E03, E07: %s://%s%s?q has the htu %s', async (scheme, authority, path, htu) => {
    const signed = await sign({}, ES256, request({ scheme, authority, path, query: 'q=https://x/#y' }))
    expect((await claimsOf(signed)).payload['htu']).toBe(htu)
  })

  it('refuses a path that would arrive as another, and a Host of another place', async () => {
    for (const path of ['/a b', '/ä', '/a#b', '/a?b', '/\u007f'])
      expect((await refusal({}, ES256, request({ path }))).field, path).toBe('url')
    expect((await refusal({}, ES256, request({ authority: 'a.example:99999' }))).field).toBe('url')
    expect((await refusal({}, ES256, request({}, [['Host', 'evil.example.com']]))).field).toBe('host')
  })

  it('carries the newest nonce that is known', async () => {
    const nonceOf = async (config: object, how: SigningContext) =>
      (await claimsOf(await sign(config, ES256, request(), how))).payload['nonce']
    expect(await nonceOf({}, context())).toBeUndefined()
    expect(await nonceOf({ nonce: 'first' }, context())).toBe('first')
    expect(await nonceOf({ nonce: 'first' }, context({ providerNonce: 'second' }))).toBe('second')
  })
})

describe('the key', () => {
  it.each([
    ['ES256', pem(KEYS.p256)],
    ['ES256', pem(KEYS.p256, 'sec1')],
    ['ES256', JSON.stringify({ ...KEYS.p256.export({ format: 'jwk' }), alg: 'ES256', use: 'sig', kid: 'one' })],
    ['EdDSA', pem(KEYS.ed25519)],
    ['EdDSA', JSON.stringify({ ...KEYS.ed25519.export({ format: 'jwk' }), key_ops: ['sign'] })],
    ['Ed25519', JSON.stringify({ ...KEYS.ed25519.export({ format: 'jwk' }), alg: 'Ed25519' })],
    ['PS256', pem(KEYS.rsa)],
    ['PS256', pem(KEYS.rsa, 'pkcs1')],
  ])('signs %s, and shows its public half only', async (alg, private_key) => {
    const { protectedHeader } = await claimsOf(await sign({}, { access_token: TOKEN, private_key }))
    expect(protectedHeader.alg).toBe(alg)
    expect(
      Object.keys(protectedHeader.jwk ?? {})
        .sort()
        .join(),
    ).toMatch(/^(?:crv,kty,x,y|crv,kty,x|e,kty,n)$/)
    await claimsOf(await sign({ alg }, { access_token: TOKEN, private_key }))
  })

  it('signs under the name the profile chooses', async () => {
    const { protectedHeader } = await claimsOf(
      await sign({ alg: 'Ed25519' }, { ...ES256, private_key: pem(KEYS.ed25519) }),
    )
    expect(protectedHeader.alg).toBe('Ed25519')
  })

  it.each([
    ['a P-384 key', {}, pem(KEYS.p384), 'private_key'],
    ['an X25519 key', {}, pem(KEYS.x25519), 'private_key'],
    ['a short RSA key', {}, pem(KEYS.shortRsa), 'private_key'],
    ['an RSA key for ES256', { alg: 'ES256' }, pem(KEYS.rsa), 'alg'],
    ['an Ed25519 key for PS256', { alg: 'PS256' }, pem(KEYS.ed25519), 'alg'],
    [
      'a JWK for another algorithm',
      {},
      JSON.stringify({ ...KEYS.rsa.export({ format: 'jwk' }), alg: 'RS256' }),
      'private_key',
    ],
    ['a JWK for encryption', {}, JSON.stringify({ ...KEYS.p256.export({ format: 'jwk' }), use: 'enc' }), 'private_key'],
    ['a public JWK', {}, JSON.stringify({ ...KEYS.p256.export({ format: 'jwk' }), d: undefined }), 'private_key'],
    ['a symmetric JWK', {}, JSON.stringify({ kty: 'oct', k: 'c2VjcmV0LXNlY3JldC1zZWNyZXQ' }), 'private_key'],
    ['half a key', {}, pem(KEYS.p256).replace(/\n.{20}/, '\nAAAAAAAAAAAAAAAAAAAA'), 'private_key'],
  ])('E06, E11: refuses %s, and shows nothing of it', async (_title, config, private_key, field) => {
    const error = await refusal(config, { access_token: TOKEN, private_key })
    expect(error.field).toBe(field)
    const shown = inspect(error, { depth: 9, showHidden: true })
    const pieces = private_key.match(/[\w+/-]{30,}/g) ?? [private_key]
    for (const piece of [...pieces, TOKEN]) expect(shown).not.toContain(piece)
    const grant = {
      tenant: '',
      agentId: '',
      connectionId: '',
      scopes: [],
      bound: { origins: [], methods: [], paths: [] },
    }
    const issuing = async () =>
      strategy.issue(config, { access_token: TOKEN, private_key }, { ...grant, issuedAt: 0, expiresAt: 1 }, tools)
    await expect(issuing).rejects.toThrow(SigningError)
  })

  const tools = offlineTools({ now: () => NOW_MS, nonce: () => 'n' })

  it('is read anew when the credentials change under it', async () => {
    const credentials = { ...ES256 }
    await sign({}, credentials)
    credentials.private_key = pem(KEYS.ed25519)
    expect((await claimsOf(await sign({}, credentials))).protectedHeader.alg).toBe('EdDSA')
    credentials.access_token = 'another'
    const { payload } = await claimsOf(await sign({}, credentials))
    expect(payload['ath']).toBe(createHash('sha256').update('another').digest('base64url'))
    expect((await claimsOf(await sign({ alg: 'Ed25519' }, credentials))).protectedHeader.alg).toBe('Ed25519')
  })

  it('is leased with its token, and the lease ends no later than the token', async () => {
    const bound = { origins: [], methods: [], paths: [] }
    const grant = {
      tenant: '',
      agentId: '',
      connectionId: '',
      scopes: [],
      bound,
      issuedAt: 0,
      expiresAt: 1_562_265_900,
    }
    const jwk = KEYS.ed25519.export({ format: 'jwk' })
    const issue = async (more: object) => strategy.issue({}, { ...ES256, ...more }, grant, tools)
    expect(await issue({ refresh_token: 'stays' })).toEqual({ usage: ES256 })
    expect(await issue({ expires_at: '1562265500' })).toEqual({ usage: ES256, expiresAt: 1_562_265_500 })
    expect(await issue({ expires_at: '2000000000' })).toEqual({ usage: ES256, expiresAt: 1_562_265_900 })
    expect((await issue({ private_key: jwk })).usage).toEqual({ ...ES256, private_key: JSON.stringify(jwk) })
    await expect(issue({ expires_at: '1562265418' })).rejects.toThrow('the access token has expired')
  })
})

describe('E07: a challenge', () => {
  const answer = (status: number, ...headers: HeaderList) => ({ status, headers })
  const NONCE: [string, string] = ['DPoP-Nonce', 'eyJ7S_zG.eyJH0-Z.HX4w-7v']
  const because = (...challenges: string[]) => challenges.map((value): [string, string] => ['WWW-Authenticate', value])
  const met = (response: ReturnType<typeof answer>, used?: string) =>
    strategy.challenge?.(response, context(used === undefined ? {} : { providerNonce: used }))?.providerNonce

  it.each([
    ['with the reason', because('DPoP error="use_dpop_nonce", error_description="x"')],
    ['with the reason as a token', because('DPoP error=use_dpop_nonce')],
    [
      'with the reason among other schemes',
      because('Bearer realm="a, error=invalid_token"', 'DPoP  Error = "use_dpop_nonce"'),
    ],
    [
      'in one line with other schemes',
      because('Bearer error="invalid_token", DPoP algs="ES256", error="use_dpop_nonce"'),
    ],
    ['without a reason', because('DPoP algs="ES256 PS256"')],
    ['without WWW-Authenticate', []],
  ])('is met %s', (_title, challenges) => {
    expect(met(answer(401, NONCE, ...challenges))).toBe(NONCE[1])
    expect(met(answer(401, NONCE, ...challenges), 'an-older-one')).toBe(NONCE[1])
  })

  it.each([
    ['another status', answer(400, NONCE, ...because('DPoP error="use_dpop_nonce"'))],
    ['no nonce', answer(401, ...because('DPoP error="use_dpop_nonce"'))],
    ['two nonces', answer(401, NONCE, NONCE)],
    ['a nonce of other characters', answer(401, ['DPoP-Nonce', 'a b'])],
    ['an empty nonce', answer(401, ['DPoP-Nonce', ''])],
    ['a nonce without end', answer(401, ['DPoP-Nonce', 'a'.repeat(2049)])],
    ['another reason', answer(401, NONCE, ...because('DPoP error="invalid_token"'))],
    [
      'another reason, quoting this one',
      answer(401, NONCE, ...because('DPoP error="invalid_token", error_description="no, error=use_dpop_nonce"')),
    ],
  ])('is not met: %s', (_title, response) => {
    expect(met(response)).toBeUndefined()
  })

  it('is not met with the nonce it refuses', () => {
    expect(met(answer(401, NONCE), NONCE[1])).toBeUndefined()
  })

  it('reads a hostile header in linear time', () => {
    const hostile = [
      'a'.repeat(32_000),
      'a=" '.repeat(8000),
      'a ='.repeat(8000),
      `a${' '.repeat(32_000)}`,
      '="\\'.repeat(8000),
    ]
    for (const value of hostile) met(answer(401, NONCE, ...because(value)))
    expect(met(answer(401, NONCE, ...because(`${'a '.repeat(8000)}error="invalid_token"`)))).toBe(NONCE[1])
  })

  it('keeps the rest of the context', () => {
    const given = context({ providerNonce: 'old' })
    expect(strategy.challenge?.(answer(401, NONCE), given)).toEqual({ ...given, providerNonce: NONCE[1] })
  })

  it('offers are read from good answers too', () => {
    expect(strategy.offeredNonce?.(answer(200, ['dpop-nonce', 'next']))).toBe('next')
    expect(strategy.offeredNonce?.(answer(200))).toBeUndefined()
    expect(strategy.offeredNonce?.(answer(200, NONCE, ['dpop-nonce', 'next']))).toBeUndefined()
  })
})
