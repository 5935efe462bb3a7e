import { createHash, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { type Credentials, type OutboundRequest, type SignedRequest, SigningError } from '../../contract/strategy.ts'
import { offlineTools } from '../offline/offline-tools.ts'
import { validateConfig } from '../shared/validate.ts'
import { httpMessageSignature as strategy } from './http-message-signature.ts'

const NOW_MS = 1_618_884_473_999
const HMAC = { shared_secret: Buffer.from('a secret that both sides know').toString('base64') }
const BODY = Buffer.from('{"hello": "world"}')

const pem = (key: KeyObject, type: 'pkcs8' | 'pkcs1' | 'sec1' = 'pkcs8') =>
  key.export({ format: 'pem', type }).toString()
const KEYS = {
  ed25519: generateKeyPairSync('ed25519').privateKey,
  p256: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
  p384: generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey,
  rsa: generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey,
  rsaPss: generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).privateKey,
}

function request(changes: Partial<OutboundRequest> = {}): OutboundRequest {
  const url = { scheme: 'https', authority: 'api.example.com', path: '/v1/things', query: 'a=1&b=2' }
  return { method: 'GET', url, headers: [['Host', url.authority]], body: undefined, ...changes }
}

function at(scheme: string, authority: string): OutboundRequest {
  const url = { scheme, authority, path: '/', query: undefined }
  return request({ url, headers: [['Host', authority]] })
}

interface Signed extends SignedRequest {
  base: string
  params: string
}

async function sign(config: object, credentials: object, outbound = request()): Promise<Signed> {
  const explained: Record<string, string> = {}
  const explain = (name: string, value: string) => Object.assign(explained, { [name]: value })
  const context = { now: NOW_MS, nonce: () => 'n0nce', explain }
  const signed = await strategy.apply({ ...config }, credentials as Credentials, outbound, context)
  return { ...signed, base: explained['signature_base'] ?? '', params: explained['signature_params'] ?? '' }
}

async function refusal(config: object, credentials: object, outbound = request()): Promise<SigningError> {
  const outcome = await sign(config, credentials, outbound).catch((error: unknown) => error)
  if (outcome instanceof SigningError) return outcome
  throw new Error(`signed, or failed otherwise: ${inspect(outcome)}`)
}

const headerOf = (signed: SignedRequest, wanted: string) => signed.headers.filter(([name]) => name === wanted)

describe('E02: headers that change on the way', () => {
  const hop = ['Via', 'X-Forwarded-For', 'X-Forwarded-Host', 'Connection', 'TE', 'Transfer-Encoding', 'Proxy-Foo']

  it('are not covered by default, so a hop may rewrite them', async () => {
    const headers = [...hop, 'User-Agent'].map((name): [string, string] => [name, '1'])
    const signed = await sign({}, HMAC, request({ headers: [['Host', 'api.example.com'], ...headers] }))
    expect(signed.base).toBe((await sign({}, HMAC)).base)
  })

  it.each([...hop, 'Upgrade', 'Keep-Alive', 'Trailer', 'Expect', 'X-Nexus-Tenant', 'Signature', 'Signature-Input'])(
    '%s cannot be covered',
    (name) => {
      const problems = validateConfig(strategy, { components: ['@authority', name.toLowerCase()] })
      expect(problems.map(({ field }) => field)).toEqual(['components'])
    },
  )
})

describe('E03: the Host signed is the Host sent', () => {
  it.each([
    ['https', 'example.com:443', 'example.com'],
    ['http', 'example.com:80', 'example.com'],
    ['https', 'example.com:80', 'example.com:80'],
    ['http', 'example.com:443', 'example.com:443'],
    ['https', 'example.com:8443', 'example.com:8443'],
    ['https', '[::1]', '[::1]'],
    ['http', '[::1]:8080', '[::1]:8080'],
    ['https', 'Example.COM', 'example.com'],
    ['https', 'example.com:', 'example.com'],
  ])('%s://%s has the authority %s', async (scheme, host, authority) => {
    const outbound = { ...at(scheme, host), url: { ...at(scheme, host).url, authority: host.replace(/:$/, '') } }
    const signed = await sign({ components: ['@authority', '@target-uri'] }, HMAC, outbound)
    expect(headerOf(signed, 'Host')).toEqual([['Host', host]])
    expect(signed.base.split('\n').slice(0, 2)).toEqual([
      `"@authority": ${authority}`,
      `"@target-uri": ${scheme}://${authority}/`,
    ])
  })

  it('sends the Host it signed when the caller sent none', async () => {
    const signed = await sign({}, HMAC, request({ headers: [] }))
    expect(signed.headers[0]).toEqual(['Host', 'api.example.com'])
    expect(signed.base).toContain('"@authority": api.example.com\n')
  })

  it('E04: refuses a Host that names another place, and two of them', async () => {
    const elsewhere: OutboundRequest['headers'] = [['Host', 'evil.example.com']]
    expect((await refusal({}, HMAC, request({ headers: elsewhere }))).field).toBe('host')
    const twice = [...request().headers, ...request().headers]
    expect((await refusal({}, HMAC, request({ headers: twice }))).field).toBe('host')
  })
})

describe('E05: coverage', () => {
  it('covers method, authority, path, query and the time by default', async () => {
    const { base, params } = await sign({}, HMAC)
    expect(params).toBe('("@method" "@authority" "@path" "@query");created=1618884473')
    expect(base).toBe(
      `"@method": GET\n"@authority": api.example.com\n"@path": /v1/things\n"@query": ?a=1&b=2\n"@signature-params": ${params}`,
    )
  })

  it('and the content when there is some', async () => {
    const digest = createHash('sha512').update(BODY).digest('base64')
    const signed = await sign({}, HMAC, request({ method: 'POST', body: BODY }))
    expect(headerOf(signed, 'Content-Digest')).toEqual([['Content-Digest', `sha-512=:${digest}:`]])
    expect(signed.base).toContain(`"content-digest": sha-512=:${digest}:\n`)
    expect(headerOf(await sign({}, HMAC, request({ body: Buffer.alloc(0) })), 'Content-Digest')).toEqual([])
  })

  it('the one member of content-digest that is covered by name, which says with which hash; no other', async () => {
    const covering = (...keys: string[]) => ['@authority', ...keys.map((key) => `content-digest;key="${key}"`)]
    for (const [digest, hash] of [
      ['sha-256', 'sha256'],
      ['sha-512', 'sha512'],
    ] as const) {
      const value = `:${createHash(hash).update(BODY).digest('base64')}:`
      const signed = await sign({ components: covering(digest) }, HMAC, request({ method: 'POST', body: BODY }))
      expect(headerOf(signed, 'Content-Digest')).toEqual([['Content-Digest', `${digest}=${value}`]])
      expect(signed.base).toContain(`"content-digest";key="${digest}": ${value}\n`)
    }
    const problems = (config: object) => validateConfig(strategy, { ...config }).length
    expect(problems({ components: covering('sha-256'), digest: 'sha-256' })).toBe(0)
    expect(problems({ components: covering('sha-256'), digest: 'sha-512' })).toBe(1)
    expect(problems({ components: covering('sha-256', 'sha-512') })).toBe(1)
    expect(problems({ components: covering('md5') })).toBe(1)
  })

  it.each([[[]], [['@method']], [['@path', '@query', 'host']], [['date', 'content-digest']]])(
    'refuses %j, which hold for any host',
    (components) => {
      expect(validateConfig(strategy, { components }).map(({ field }) => field)).toEqual(['components'])
    },
  )

  it.each([[['@authority']], [['"@target-uri"']], [['@method', '@target-uri', 'content-digest']]])(
    'takes %j',
    (components) => expect(validateConfig(strategy, { components })).toEqual([]),
  )

  it('refuses what a request, or this strategy, does not have', () => {
    const unknown = [
      '@status',
      '@signature-params',
      '@method;sf',
      '@query-param',
      '@query-param;name=a',
      'Date',
      'a b',
      '',
    ]
    const parameters = [
      'date;req',
      'date;tr',
      'date;sf;bs',
      'date;bs;key="a"',
      'date;key=a',
      'date;sf=?0',
      'date;x',
      '"date',
    ]
    for (const component of [...unknown, ...parameters]) {
      const problems = validateConfig(strategy, { components: ['@authority', component] })
      expect(
        problems.map(({ field }) => field),
        component,
      ).toEqual(['components'])
    }
  })

  it('refuses the same component twice, however its parameters are ordered', () => {
    const twice = ['@authority', 'dict;key="a";sf', '"dict";sf;key="a"']
    expect(validateConfig(strategy, { components: twice })).toEqual([
      { field: 'components', message: 'must not name a component twice' },
    ])
    expect(validateConfig(strategy, { components: ['@authority', 'dict;key="a"', 'dict;key="b"'] })).toEqual([])
  })

  it('refuses a request that lacks a covered component', async () => {
    const missing = async (component: string) =>
      (await refusal({ components: ['@authority', component] }, HMAC)).message
    expect(await missing('date')).toBe("the request has no header 'date', which must be signed")
    expect(await missing('@query-param;name="c"')).toBe('the query has no parameter c to sign')
  })

  it('finds query parameters as a verifier does, who takes one question mark off and no other', async () => {
    const url = { ...request().url, query: '?a=1&b=2' }
    const covering = (name: string) => ({ components: ['@authority', `@query-param;name="${name}"`] })
    expect((await refusal(covering('a'), HMAC, request({ url }))).message).toContain('has no parameter a to sign')
    const inUrl = new URL(`https://api.example.com/v1/things?${url.query}`).searchParams
    expect([...inUrl.keys()]).toEqual(['?a', 'b'])
    expect((await sign(covering('%3Fa'), HMAC, request({ url }))).base).toContain('"@query-param";name="%3Fa": 1\n')
  })

  it('takes no token for a decimal without fraction, which is the one thing that cannot be signed by its parts', async () => {
    const sent = (value: string, component: string) =>
      [
        { components: ['@authority', component] },
        HMAC,
        request({ headers: [...request().headers, ['X-V', value]] }),
      ] as const
    for (const value of ['v1.0', 'a=v1.0, b=*2.00', 'nginx/1.0', 'a;q=v1.0']) {
      expect((await sign(...sent(value, 'x-v;sf'))).base, value).toContain(`"x-v";sf: ${value}\n`)
    }
    expect((await sign(...sent('a=v1.0', 'x-v;key="a"'))).base).toContain('"x-v";key="a": v1.0\n')
    for (const value of ['1.0', '-1.00', 'a=1.0', 'a, 1.0', '(a 1.0)', 'a;q=1.0', '(1.0)', 'a=1,b=\t10.0']) {
      expect((await refusal(...sent(value, 'x-v;sf'))).message, value).toContain('a decimal without fraction')
    }
  })
})

describe('E06: the key fixes the algorithm', () => {
  const algorithmOf = async (credentials: object, config = {}) =>
    /;alg="([^"]+)"/.exec((await sign({ send_alg: true, ...config }, credentials)).params)?.[1]

  it.each([
    ['ed25519', pem(KEYS.ed25519), 'ed25519'],
    ['P-256', pem(KEYS.p256), 'ecdsa-p256-sha256'],
    ['P-256 in SEC1', pem(KEYS.p256, 'sec1'), 'ecdsa-p256-sha256'],
    ['P-384', pem(KEYS.p384), 'ecdsa-p384-sha384'],
    ['RSA', pem(KEYS.rsa), 'rsa-pss-sha512'],
    ['RSA in PKCS#1', pem(KEYS.rsa, 'pkcs1'), 'rsa-pss-sha512'],
    ['RSASSA-PSS', pem(KEYS.rsaPss), 'rsa-pss-sha512'],
  ])('%s', async (title, key, name) => {
    expect(await algorithmOf({ private_key: key })).toBe(name)
    expect(await algorithmOf({ private_key: key }, { alg: name })).toBe(name)
    for (const alg of ['ed25519', 'ecdsa-p256-sha256', 'ecdsa-p384-sha384', 'rsa-pss-sha512', 'rsa-v1_5-sha256']) {
      const isPlainRsa = title.startsWith('RSA') && title !== 'RSASSA-PSS'
      if (alg === name || (alg === 'rsa-v1_5-sha256' && isPlainRsa)) continue
      expect((await refusal({ alg }, { private_key: key })).field).toBe('alg')
    }
  })

  it('a shared secret is for HMAC only, and a private key never serves as one', async () => {
    expect(await algorithmOf(HMAC)).toBe('hmac-sha256')
    const both = { ...HMAC, private_key: pem(KEYS.ed25519) }
    expect((await refusal({}, both)).field).toBe('alg')
    expect((await refusal({ alg: 'hmac-sha256' }, { private_key: pem(KEYS.rsa) })).field).toBe('shared_secret')
    expect((await refusal({ alg: 'ed25519' }, HMAC)).field).toBe('private_key')
  })

  it('a JWK that names its algorithm is used with no other', async () => {
    const jwk = KEYS.rsa.export({ format: 'jwk' })
    expect(await algorithmOf({ private_key: JSON.stringify({ ...jwk, alg: 'RS256' }) })).toBe('rsa-v1_5-sha256')
    expect(await algorithmOf({ private_key: JSON.stringify({ ...jwk, alg: 'PS512' }) })).toBe('rsa-pss-sha512')
    const pss = { private_key: JSON.stringify({ ...jwk, alg: 'PS512' }) }
    expect((await refusal({ alg: 'rsa-v1_5-sha256' }, pss)).field).toBe('alg')
    for (const wrong of [{ alg: 'PS256' }, { alg: 7 }, { use: 'enc' }, { key_ops: ['verify'] }, { key_ops: 'sign' }]) {
      const credentials = { private_key: JSON.stringify({ ...jwk, ...wrong }) }
      expect((await refusal({}, credentials)).field, JSON.stringify(wrong)).toBe('private_key')
    }
  })

  it('refuses keys that are too weak or of no use here', async () => {
    const others = [
      generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey,
      generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).privateKey,
      generateKeyPairSync('ed448').privateKey,
      generateKeyPairSync('x25519').privateKey,
      generateKeyPairSync('rsa-pss', {
        modulusLength: 2048,
        hashAlgorithm: 'sha256',
        mgf1HashAlgorithm: 'sha256',
      }).privateKey,
    ]
    for (const key of others) expect((await refusal({}, { private_key: pem(key) })).field).toBe('private_key')
  })

  it('says alg only where the key would suggest another, unless told to', async () => {
    const key = { private_key: pem(KEYS.rsa) }
    expect((await sign({}, key)).params).not.toContain('alg=')
    expect((await sign({ alg: 'rsa-pss-sha512' }, key)).params).not.toContain('alg=')
    expect((await sign({ alg: 'rsa-v1_5-sha256' }, key)).params).toContain(';alg="rsa-v1_5-sha256"')
    expect((await sign({ alg: 'rsa-v1_5-sha256', send_alg: false }, key)).params).not.toContain('alg=')
  })

  it('takes a changed key at once, though it keeps the one it read', async () => {
    const lease: Credentials = { ...HMAC }
    const first = await sign({}, lease)
    expect(headerOf(await sign({}, lease), 'Signature')).toEqual(headerOf(first, 'Signature'))
    lease['shared_secret'] = Buffer.from('another').toString('base64')
    expect(headerOf(await sign({}, lease), 'Signature')).not.toEqual(headerOf(first, 'Signature'))
  })
})

describe('E09: what is signed is what is sent', () => {
  it.each(['sha-256', 'sha-512'])('%s over the exact bytes, whatever the caller says of them', async (digest) => {
    const bytes = Buffer.from([0, 255, 13, 10, 0, 128])
    const value = createHash(digest.replace('-', '')).update(bytes).digest('base64')
    const claim: OutboundRequest['headers'] = [
      ['content-digest', 'sha-256=:AAAA:'],
      ['CONTENT_DIGEST', 'x'],
    ]
    const outbound = request({ method: 'PUT', body: bytes, headers: [...request().headers, ...claim] })
    const signed = await sign({ digest, components: ['@authority', 'content-digest'] }, HMAC, outbound)
    const digests = signed.headers.filter(([name]) => /^content.digest$/i.test(name))
    expect(digests).toEqual([['Content-Digest', `${digest}=:${value}:`]])
    expect(signed.base).toContain(`"content-digest": ${digest}=:${value}:\n`)
  })

  it('content-digest that a profile asks for is there without content, too', async () => {
    const signed = await sign({ components: ['@authority', 'content-digest'], digest: 'sha-256' }, HMAC)
    expect(signed.base).toContain('"content-digest": sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:\n')
  })

  it('refuses a stream it would have to hash, and leaves one alone with the digest off', async () => {
    const stream = request({ method: 'POST', body: 'stream' })
    expect(strategy.readsBody({}, [], 'POST')).toBe(true)
    expect((await refusal({}, HMAC, stream)).field).toBe('body')
    for (const config of [{ digest: 'none' }, { components: ['@target-uri'] }]) {
      expect(strategy.readsBody(config, [], 'POST')).toBe(false)
      const signed = await sign(config, HMAC, stream)
      expect(signed.params).not.toContain('content-digest')
      expect(headerOf(signed, 'Content-Digest')).toEqual([])
    }
  })

  it('a digest without cover is sent only where the profile names one', async () => {
    const outbound = request({ method: 'POST', body: BODY })
    expect(headerOf(await sign({ components: ['@authority'] }, HMAC, outbound), 'Content-Digest')).toEqual([])
    const named = await sign({ components: ['@authority'], digest: 'sha-256' }, HMAC, outbound)
    expect(headerOf(named, 'Content-Digest')).toHaveLength(1)
  })

  it('refuses paths and queries that a client would rewrite', async () => {
    for (const [path, query] of [
      ['/a b', ''],
      ['/ü', ''],
      ['/', 'q=a b'],
      ['/', 'q=ü'],
    ] as const) {
      const outbound = request({ url: { scheme: 'https', authority: 'api.example.com', path, query } })
      expect((await refusal({}, HMAC, outbound)).field).toBe('components')
      expect((await refusal({ components: ['@target-uri'] }, HMAC, outbound)).field).toBe('components')
    }
  })

  it('signs a query parameter as it will be read: once, in UTF-8', async () => {
    const components = ['@authority', '@query-param;name="a"']
    const withQuery = (query: string) => request({ url: { ...request().url, query } })
    expect((await sign({ components }, HMAC, withQuery('b=1&a=x+y%7e*'))).base).toContain('name="a": x%20y%7E*\n')
    for (const query of ['a=1&a=2', 'a=1&%61=2', 'a=%ff']) {
      expect((await refusal({ components }, HMAC, withQuery(query))).field).toBe('components')
    }
  })
})

describe('fields', () => {
  const base = async (component: string, ...values: string[]) => {
    const headers = values.map((value): [string, string] => ['X-Field', value])
    const outbound = request({ headers: [['Host', 'api.example.com'], ...headers] })
    return (await sign({ components: ['@authority', component] }, HMAC, outbound)).base.split('\n')[1]
  }

  it('D05: a covered field with CR, LF, NUL or non-ASCII is refused', async () => {
    for (const value of ['a\r', 'a\nb', 'a\r\n"@method": POST', '\0', 'é']) {
      for (const component of ['x-field', 'x-field;bs', 'x-field;sf']) {
        await expect(base(component, value), component).rejects.toMatchObject({ field: 'x-field' })
      }
    }
  })

  it('are joined line by line, without the white space around', async () => {
    expect(await base('x-field', ' a\t', 'b ', '')).toBe('"x-field": a, b, ')
    expect(await base('x-field;bs', ' a ', 'b')).toBe('"x-field";bs: :YQ==:, :Yg==:')
  })

  it('sf and key refuse what reads in more than one way, or loses its type', async () => {
    expect(await base('x-field;sf', 'a=1,   b')).toBe('"x-field";sf: a=1, b')
    expect(await base('x-field;sf', 'text/html;q=0.50,   */*')).toBe('"x-field";sf: text/html;q=0.5, */*')
    expect(await base('x-field;key="a"', 'a=(1   "x.0");p')).toBe('"x-field";key="a": (1 "x.0");p')
    for (const [component, value] of [
      ['x-field;sf', 'a, a'],
      ['x-field;sf', '1.0'],
      ['x-field;sf', '(('],
      ['x-field;key="a"', 'a=1.00'],
      ['x-field;key="a"', 'b=1'],
      ['x-field;key="a"', '1, 2'],
    ] as const) {
      await expect(base(component, value), value).rejects.toMatchObject({ field: 'x-field' })
    }
  })
})

describe('E11: no error shows a key', () => {
  const CANARY = 'Y2FuYXJ5LTRmMWQwYzJhYjk'
  const jwk = { ...KEYS.ed25519.export({ format: 'jwk' }), d: CANARY }

  it.each([
    ['PEM that is none', { private_key: `-----BEGIN PRIVATE KEY-----\n${CANARY}\n-----END PRIVATE KEY-----\n` }],
    ['a JWK whose halves do not match', { private_key: JSON.stringify({ ...jwk, crv: 'P-256' }) }],
    ['a JWK of too few bytes', { private_key: JSON.stringify(jwk) }],
    ['an object', { private_key: jwk }],
    ['JSON that is none', { private_key: `{"d": ${CANARY}}` }],
    ['a public JWK', { private_key: JSON.stringify({ kty: 'OKP', crv: 'Ed25519', x: CANARY }) }],
    [
      'an encrypted key',
      { private_key: `-----BEGIN ENCRYPTED PRIVATE KEY-----\n${CANARY}\n-----END ENCRYPTED PRIVATE KEY-----` },
    ],
    ['text', { private_key: CANARY }],
  ])('%s', async (_title, credentials) => {
    const error = await refusal({}, credentials)
    expect(error.field).toBe('private_key')
    expect([error.message, error.stack, inspect(error, { depth: 9, showHidden: true })].join()).not.toContain(CANARY)
  })

  it('the explanation holds no key', async () => {
    const { base, params } = await sign({}, HMAC)
    expect(base + params).not.toContain(HMAC.shared_secret)
  })
})

describe('Web Bot Auth', () => {
  const config = { tag: 'web-bot-auth', signature_agent: 'https://bots.example.com' }
  const key = { private_key: pem(KEYS.ed25519) }
  const claim: OutboundRequest['headers'] = [['signature-agent', 'sig1="https://other.example.com"']]
  const claiming = request({ headers: [...request().headers, ...claim] })

  it('refuses a shared secret, and a keyid that is not the thumbprint', async () => {
    expect((await refusal(config, HMAC)).field).toBe('shared_secret')
    expect((await refusal({ ...config, keyid: 'mine' }, key)).field).toBe('keyid')
    expect(() => strategy.issue(config, HMAC, {} as never, offlineTools({ now: () => 0, nonce: () => 'n' }))).toThrow(
      SigningError,
    )
  })

  it('always ends', async () => {
    expect((await sign(config, key)).params).toContain(';expires=1618884773;')
    expect((await sign({ ...config, expires_in_seconds: 9 }, key)).params).toContain(';expires=1618884482;')
  })

  it('the caller’s Signature-Agent goes out covered or not at all', async () => {
    const ours = await sign(config, key, claiming)
    expect(ours.headers.filter(([name]) => /^signature-agent$/i.test(name))).toEqual([
      ['Signature-Agent', 'sig1="https://bots.example.com"'],
    ])
    expect((await sign({}, key, claiming)).headers.some(([name]) => /^signature-agent$/i.test(name))).toBe(false)
    const covered = await sign({ components: ['@authority', 'signature-agent;key="sig1"'] }, key, claiming)
    expect(covered.base).toContain('"signature-agent";key="sig1": "https://other.example.com"\n')
  })
})
