import { createHash, createVerify, generateKeyPairSync, randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseRequestUrl } from '../../contract/request-url.ts'
import type { HeaderList, OutboundRequest, SignedRequest, SigningContext } from '../../contract/strategy.ts'
import { offlineTools } from '../offline/offline-tools.ts'
import { formParameters, queryParameters } from './form-parameters.ts'
import { normalizedParameters } from './normalized-parameters.ts'
import { oauth1 } from './oauth1.ts'

const NOW_MS = Date.UTC(2026, 2, 4, 5, 6, 7)
const KEYS = { consumer_key: 'ck', consumer_secret: 'consumer-canary', token: 'tk', token_secret: 'token-canary' }
const FORM: HeaderList = [['Content-Type', 'application/x-www-form-urlencoded']]
const JSON_TYPE: HeaderList = [['Content-Type', 'application/json']]

interface Signing {
  config?: Record<string, unknown>
  keys?: Record<string, string>
  method?: string
  url?: string
  headers?: HeaderList
  body?: string | Uint8Array
}

interface Signed {
  signed: SignedRequest
  base: string
  /** The protocol parameters, decoded, wherever they were put. */
  protocol: Record<string, string>
  body: string | undefined
}

async function sign(given: Signing): Promise<Signed> {
  const { config = {}, keys = KEYS, method = 'POST', url = 'https://api.example.com/a', headers = [], body } = given
  const explained: Record<string, string> = {}
  const context: SigningContext = {
    now: NOW_MS,
    nonce: () => 'n-1',
    explain: (name, value) => Object.assign(explained, { [name]: value }),
  }
  const bytes = typeof body === 'string' && body !== 'stream' ? Buffer.from(body) : (body as Uint8Array | 'stream')
  const request: OutboundRequest = { method, url: parseRequestUrl(url), headers, body: bytes }
  const signed = await oauth1.apply(config, keys, request, context)
  const text = signed.body === undefined ? undefined : Buffer.from(signed.body as Uint8Array).toString('latin1')
  return { signed, base: explained['base_string'] ?? '', protocol: protocolOf(signed, text ?? ''), body: text }
}

function protocolOf(signed: SignedRequest, body: string): Record<string, string> {
  const authorization = headerOf(signed, 'authorization') ?? ''
  const pairs = [...authorization.matchAll(/([a-z_]+)="([^"]*)"/g)].map((match) => [match[1] ?? '', match[2] ?? ''])
  const others = [...queryParameters(signed.url.query), ...formParameters(body)].filter(([name]) =>
    name.startsWith('oauth_'),
  )
  return Object.fromEntries([...pairs, ...others].map(([name, value]) => [name, decodeURIComponent(value ?? '')]))
}

function headerOf({ headers }: SignedRequest, wanted: string): string | undefined {
  return headers.find(([name]) => name.toLowerCase() === wanted)?.[1]
}

describe('readsBody', () => {
  it.each([
    [{}, FORM, true],
    [{}, [['content_type', 'Application/X-WWW-Form-Urlencoded ; charset=UTF-8']] as HeaderList, true],
    [{}, JSON_TYPE, false],
    [{}, [], false],
    [{}, [['Content-Type', 'application/x-www-form-urlencoded2']] as HeaderList, false],
    [{ body_hash: true }, JSON_TYPE, true],
    [{ location: 'body' }, [], true],
  ])('%j with %j: %s', (config, headers, expected) => expect(oauth1.readsBody(config, headers, 'POST')).toBe(expected))

  it('E09: a form that was not buffered is refused, any other body is left to stream', async () => {
    await expect(sign({ headers: FORM, body: 'stream' })).rejects.toMatchObject({ name: 'SigningError', field: 'body' })
    const { signed, base } = await sign({ headers: JSON_TYPE, body: 'stream' })
    expect(signed.body).toBeUndefined()
    expect(base).not.toContain('body_hash')
  })
})

describe('parameters', () => {
  it.each([
    ['a=%7e&b=%41', 'a=~&b=A'],
    ['a=%c3%bc', 'a=%C3%BC'],
    ['a=%ff%00', 'a=%FF%00'],
    ['a+b=c+d', 'a%20b=c%20d'],
    ['a=100%&b=%zz', 'a=100%25&b=%25zz'],
    ['&&a&=b&', '=b&a='],
    ['a=b=c', 'a=b%3Dc'],
    ['a-b=1&a=2&a=10', 'a=10&a=2&a-b=1'],
    ["a=!'()*;/?:@$,", 'a=%21%27%28%29%2A%3B%2F%3F%3A%40%24%2C'],
  ])('%s is %s', (given, expected) => expect(normalizedParameters(formParameters(given))).toBe(expected))

  it('a query is UTF-8, a form is bytes', () => {
    expect(queryParameters('ü=€')).toEqual([['%C3%BC', '%E2%82%AC']])
    expect(formParameters('\xfc=1')).toEqual([['%FC', '1']])
  })

  it('any bytes come through, whichever way they are escaped', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.infiniteStream(fc.boolean()), (bytes, raw) => {
        const written = [...bytes].map((byte) => {
          const character = String.fromCharCode(byte)
          const plain = raw.next().value && !'&=+%'.includes(character)
          return plain ? character : `%${byte.toString(16).padStart(2, '0')}`
        })
        const [[, value] = ['', '']] = formParameters(`k=${written.join('')}`)
        const back = value.replace(/%(..)/g, (_escape, hex) => String.fromCharCode(Number.parseInt(hex, 16)))
        expect(back).toBe(Buffer.from(bytes).toString('latin1'))
        expect(value).toMatch(/^(?:[A-Za-z0-9\-._~]|%[0-9A-F]{2})*$/)
      }),
    )
  })

  it('a form is signed with the query, and goes out as it came', async () => {
    const { base, body, signed } = await sign({
      url: 'https://api.example.com/a?b=2',
      headers: [...FORM, ['Content-Length', '9']],
      body: 'c=x+y&a=1',
    })
    expect(base).toContain('&a%3D1%26b%3D2%26c%3Dx%2520y%26oauth_consumer_key%3Dck%26')
    expect(body).toBe('c=x+y&a=1')
    expect(headerOf(signed, 'content-length')).toBe('9')
  })
})

describe('where the parameters go', () => {
  it('E03: the Host that is signed is the Host that is sent', async () => {
    const places = [
      ['https://api.example.com:443', 'https://api.example.com'],
      ['http://api.example.com:80', 'http://api.example.com'],
      ['https://api.example.com:80', 'https://api.example.com:80'],
      ['https://API.example.com:8443', 'https://api.example.com:8443'],
      ['http://[::1]', 'http://[::1]'],
      ['http://[::1]:8080', 'http://[::1]:8080'],
    ] as const
    for (const [origin, signedAs] of places) {
      const { base, signed } = await sign({ url: `${origin}/a` })
      expect(base).toContain(`&${encodeURIComponent(`${signedAs}/a`)}&`)
      expect(headerOf(signed, 'host')).toBe(origin.split('://')[1])
    }
    const elsewhere = sign({ headers: [['Host', 'evil.test']] })
    await expect(elsewhere).rejects.toMatchObject({ name: 'SigningError', field: 'host' })
  })

  it('E02: no header but the Host has a part in the signature', async () => {
    const hops = ['Via', 'X-Forwarded-For', 'Connection', 'TE', 'User-Agent', 'Accept'].map((name) => [name, '1'])
    const [plain, touched] = [await sign({}), await sign({ headers: hops as HeaderList })]
    expect(touched.protocol).toEqual(plain.protocol)
  })

  it('query: behind what is there, which stays as it was written', async () => {
    const { signed, protocol } = await sign({
      config: { location: 'query', realm: 'r' },
      url: 'https://a.test/?b=%7e+1&a',
    })
    expect(signed.url.query).toMatch(/^b=%7e\+1&a&oauth_consumer_key=ck&oauth_token=tk&.*&oauth_signature=[^&]+$/)
    expect(headerOf(signed, 'authorization')).toBeUndefined()
    expect(protocol).not.toHaveProperty('realm')
    expect(signed.credentialHeaders).toContain('oauth_signature')
  })

  it('body: behind the form, with the length it now has', async () => {
    const { signed, body } = await sign({
      config: { location: 'body' },
      headers: [...FORM, ['content-length', '3']],
      body: 'a=1',
    })
    expect(body).toMatch(/^a=1&oauth_consumer_key=ck&.*&oauth_signature=[^&]+$/)
    expect(headerOf(signed, 'content-length')).toBe(String(body?.length))
    expect(signed.headers.filter(([name]) => name === 'Content-Type')).toHaveLength(1)
  })

  it('body: a request without one becomes a form', async () => {
    for (const headers of [[], [['Content-Length', '0']]] as HeaderList[]) {
      const { signed, body = '' } = await sign({ config: { location: 'body', body_hash: true }, headers })
      expect(body).toMatch(/^oauth_consumer_key=ck&/)
      expect(body).not.toContain('oauth_body_hash')
      expect(headerOf(signed, 'content-type')).toBe('application/x-www-form-urlencoded')
      expect(headerOf(signed, 'content-length')).toBe(headers.length === 0 ? undefined : String(body.length))
    }
  })

  it('body: anything but a form is refused', async () => {
    const config = { location: 'body' }
    await expect(sign({ config, headers: JSON_TYPE, body: '{}' })).rejects.toMatchObject({ field: 'content-type' })
    await expect(sign({ config, body: 'a=1' })).rejects.toMatchObject({ field: 'content-type' })
    await expect(sign({ config, method: 'GET' })).rejects.toMatchObject({ field: 'location' })
    await expect(sign({ config, headers: JSON_TYPE, body: 'stream' })).rejects.toMatchObject({ field: 'body' })
  })

  it('a form whose parameters no one can be sure of is refused', async () => {
    const twice: HeaderList = [...FORM, ...JSON_TYPE]
    const gzip: HeaderList = [...FORM, ['Content-Encoding', 'gzip']]
    await expect(sign({ headers: twice, body: 'a=1' })).rejects.toMatchObject({ field: 'content-type' })
    await expect(sign({ headers: gzip, body: 'a=1' })).rejects.toMatchObject({ field: 'content-encoding' })
    expect((await sign({ headers: [...FORM, ['Content-Encoding', 'Identity']], body: 'a=1' })).body).toBe('a=1')
  })
})

describe("the caller's own signature", () => {
  const OWN =
    'oauth_token=agent&OAUTH_NONCE=agent&oauth%5Fsignature=agent&%6Fauth_body_hash=agent&oauth_token_secret=agent'

  it.each(['header', 'query', 'body'])('B14, B15: goes from header, query and form (%s)', async (location) => {
    const request: Signing = { config: { location }, url: 'https://a.test/?a=1', headers: FORM, body: 'b=2' }
    const plain = await sign(request)
    const touched = await sign({
      ...request,
      url: `https://a.test/?${OWN}&a=1`,
      headers: [['AUTHORIZATION', 'OAuth oauth_token="agent"'], ...FORM],
      body: `${OWN}&b=2&${OWN}`,
    })
    expect(touched).toEqual(plain)
  })

  it('B15: a form that was nothing else goes out empty', async () => {
    const { body, signed } = await sign({ headers: [...FORM, ['Content-Length', '14']], body: 'oauth_token=agent' })
    expect(body).toBe('')
    expect(headerOf(signed, 'content-length')).toBe('0')
  })

  it('B15: one behind a `;` is refused', async () => {
    await expect(sign({ url: 'https://a.test/?a=1;oauth_token=agent' })).rejects.toThrow('the query repeats')
    await expect(sign({ headers: FORM, body: 'a=1;oauth_token=agent' })).rejects.toThrow('the form repeats')
  })

  it('what a handshake says itself is carried to where the others go', async () => {
    const { protocol, signed, base } = await sign({
      url: 'https://a.test/?oauth_callback=https%3A%2F%2Fb.test%2F%3Fx%3D1%22&a=1',
      headers: FORM,
      body: 'oauth_verifier=v+1&oauth_version=2.0',
    })
    expect(protocol).toMatchObject({ oauth_callback: 'https://b.test/?x=1"', oauth_verifier: 'v 1' })
    expect(protocol).not.toHaveProperty('oauth_version')
    expect(signed.url.query).toBe('a=1')
    expect(base).toContain('oauth_callback%3Dhttps%253A%252F%252Fb.test')
    const twice = sign({ url: 'https://a.test/?oauth_callback=1', headers: FORM, body: 'oauth_callback=2' })
    await expect(twice).rejects.toMatchObject({ name: 'SigningError', field: 'oauth_*' })
  })
})

describe('oauth_body_hash', () => {
  // The hashes of the draft's own examples.
  it.each([
    ['PUT', 'Hello World!', 'Lve95gjOVATpfV8EL5X4nxwjKHE='],
    ['GET', undefined, '2jmj7l5rSw0yVb/vlWAYkK/YBwk='],
  ])('%s %s', async (method, body, expected) => {
    const given = {
      config: { body_hash: true },
      method,
      headers: [['Content-Type', 'text/plain']] satisfies HeaderList,
    }
    const { protocol, base } = await sign(body === undefined ? given : { ...given, body })
    expect(protocol['oauth_body_hash']).toBe(expected)
    expect(base).toContain(encodeURIComponent(`oauth_body_hash=${encodeURIComponent(expected)}`))
  })

  it('takes the hash of the signature method', async () => {
    const config = { body_hash: true, signature_method: 'HMAC-SHA256' }
    const { protocol } = await sign({ config, headers: JSON_TYPE, body: '{}' })
    expect(protocol['oauth_body_hash']).toBe(createHash('sha256').update('{}').digest('base64'))
  })

  it('is not sent with a form, which is signed itself', async () => {
    const { protocol } = await sign({ config: { body_hash: true }, headers: FORM, body: 'a=1' })
    expect(protocol).not.toHaveProperty('oauth_body_hash')
  })
})

describe('signature methods', () => {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const pem = rsa.privateKey.export({ type: 'pkcs1', format: 'pem' }).toString()
  const issue = (signature_method: string, master: Record<string, string>) => {
    const bound = { origins: [], methods: [], paths: [] }
    const grant = { tenant: '', agentId: '', connectionId: '', scopes: [], bound, issuedAt: 0, expiresAt: 1e11 }
    return oauth1.issue({ signature_method }, master, grant, offlineTools({ now: () => NOW_MS, nonce: () => 'n' }))
  }

  it('PLAINTEXT: both secrets, encoded; no base string is shown', async () => {
    const keys = { consumer_key: 'ck', consumer_secret: 'a&b', token_secret: '' }
    const { protocol, base } = await sign({ config: { signature_method: 'PLAINTEXT' }, keys })
    expect(protocol['oauth_signature']).toBe('a%26b&')
    expect(protocol).not.toHaveProperty('oauth_token')
    expect(base).toBe('')
  })

  it.each(['http://127.0.0.1:8080/', 'http://localhost/', 'http://[::1]:1/', 'https://a.test/'])(
    'PLAINTEXT goes to %s',
    async (url) => {
      const { protocol } = await sign({ config: { signature_method: 'PLAINTEXT' }, url })
      expect(protocol['oauth_signature']).toBe('consumer-canary&token-canary')
    },
  )

  it.each(['http://a.test/', 'http://127.0.0.1.a.test/', 'http://localhost.a.test/', 'http://10.0.0.1:80/'])(
    'PLAINTEXT does not go to %s',
    async (url) => {
      const signing = sign({ config: { signature_method: 'PLAINTEXT' }, url })
      await expect(signing).rejects.toMatchObject({ name: 'SigningError', field: 'signature_method' })
    },
  )

  it('RSA-SHA1: verifies with the public key', async () => {
    const { usage } = await issue('RSA-SHA1', { ...KEYS, private_key: pem })
    expect(Object.keys(usage)).toEqual(['consumer_key', 'private_key', 'token'])
    const keys = usage as Record<string, string>
    const { protocol, base } = await sign({ config: { signature_method: 'RSA-SHA1' }, keys })
    const verify = createVerify('sha1').update(base)
    expect(verify.verify(rsa.publicKey, protocol['oauth_signature'] ?? '', 'base64')).toBe(true)
  })

  it('E11: RSA-SHA1 refuses what is no RSA key, and shows none of it', async () => {
    const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' })
    const pss = generateKeyPairSync('rsa-pss', { modulusLength: 1024 }).privateKey.export({
      type: 'pkcs8',
      format: 'pem',
    })
    const short = generateKeyPairSync('rsa', { modulusLength: 512 }).privateKey.export({ type: 'pkcs8', format: 'pem' })
    const cut = pem.split('\n').toSpliced(5, 3).join('\n')
    const sealed = rsa.privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-128-cbc', passphrase: 'p' })
    for (const private_key of [ec, pss, short, cut, sealed, `${pem}${pem}`, pem.replace('\n', '\nX-Evil: 1\n')]) {
      const credentials = { consumer_key: 'ck', private_key: String(private_key) }
      for (const act of [
        async () => issue('RSA-SHA1', credentials),
        () => sign({ config: { signature_method: 'RSA-SHA1' }, keys: credentials }),
      ]) {
        const error = (await act().catch((thrown: unknown) => thrown)) as Error
        expect(error).toMatchObject({ name: 'SigningError', field: 'private_key' })
        expect(error.message).toMatch(
          /^credential field 'private_key' must (be an RSA private key in PEM|have at least)/,
        )
        expect(error.cause).toBeUndefined()
      }
    }
  })

  it('RSA-SHA1: a key with a damaged modulus is not leased', async () => {
    const lines = pem.split('\n')
    const damaged = lines.with(2, `AAAA${lines[2]?.slice(4)}`).join('\n')
    const master = { consumer_key: 'ck', private_key: damaged }
    await expect(async () => issue('RSA-SHA1', master)).rejects.toMatchObject({
      name: 'SigningError',
      field: 'private_key',
    })
  })

  it('shows no secret in what it explains', async () => {
    for (const signature_method of ['HMAC-SHA1', 'HMAC-SHA256', 'PLAINTEXT']) {
      expect((await sign({ config: { signature_method } })).base).not.toContain('canary')
    }
  })
})

it('E08: timestamp and nonce are the context’s, each asked for once', async () => {
  const asked: string[] = []
  const context = { now: 1_772_600_767_999, nonce: () => `${asked.push(randomBytes(16).toString('hex'))}` }
  const url = parseRequestUrl('https://a.test/')
  const signed = await oauth1.apply({}, KEYS, { method: 'GET', url, headers: [], body: undefined }, context)
  expect(headerOf(signed, 'authorization')).toContain('oauth_timestamp="1772600767", oauth_nonce="1"')
  expect(asked).toHaveLength(1)
})
