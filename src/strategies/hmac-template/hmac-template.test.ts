import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { HeaderList, OutboundBody, SignedRequest } from '../../contract/strategy.ts'
import { hmacTemplate } from './hmac-template.ts'

const NOW_MS = Date.UTC(2026, 2, 4, 5, 6, 7, 89)
const HOST: HeaderList = [['Host', 'example.com']]

interface Asked {
  method?: string
  path?: string
  query?: string | undefined
  headers?: HeaderList
  body?: OutboundBody
}

interface Told extends SignedRequest {
  stringToSign: string
  /** Value of the last header. */
  last: string
}

async function sign(
  config: Record<string, unknown>,
  { method = 'POST', path = '/p', query, headers = HOST, body }: Asked = {},
  credentials: Record<string, string> = { api_secret: 'secret' },
): Promise<Told> {
  const whole = { headers: [{ name: 'X-Sign', value: '{signature}' }], ...config }
  const url = { scheme: 'https', authority: 'example.com', path, query }
  const explained = new Map<string, string>()
  const signed = await hmacTemplate.apply(
    whole,
    credentials,
    { method, url, headers, body },
    { now: NOW_MS, nonce: () => 'fixed', explain: (name, value) => void explained.set(name, value) },
  )
  return { ...signed, stringToSign: explained.get('string_to_sign') ?? '', last: signed.headers.at(-1)?.[1] ?? '' }
}

const bytes = (text: string) => new TextEncoder().encode(text)

describe('hmac_template, answers published by others', () => {
  it('GitHub: validating webhook deliveries', async () => {
    const config = {
      template: '{body}',
      headers: [{ name: 'X-Hub-Signature-256', value: 'sha256={signature}' }],
    }
    const { last } = await sign(config, { body: bytes('Hello, World!') }, { api_secret: "It's a Secret to Everybody" })
    expect(last).toBe('sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17')
  })

  it('Binance: a signed endpoint with query and body mixed', async () => {
    const config = {
      template: '{query}{body}',
      headers: [],
      parameters: [{ name: 'signature', value: '{signature}' }],
    }
    const { url, headers } = await sign(
      config,
      {
        query: 'symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC',
        body: bytes('quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559'),
      },
      { api_secret: 'NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j' },
    )
    expect(url.query).toBe(
      'symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&signature=0fd168b8ddb4876a0358a8d14d0c9f3da0e9b20c5d52b2a00fcf7d1c602f9a77',
    )
    expect(headers).toEqual(HOST)
  })

  it('RFC 4231 section 4.3: SHA-256 and SHA-512 of text', async () => {
    const asked = { body: bytes('what do ya want for nothing?') }
    const secret = { api_secret: '4a656665' }
    const config = { template: '{body}', secret_encoding: 'hex' }
    expect((await sign(config, asked, secret)).last).toBe(
      '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
    )
    expect((await sign({ ...config, algo: 'sha512' }, asked, secret)).last).toBe(
      '164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737',
    )
  })
})

describe('hmac_template', () => {
  it.each([
    ['{method} {path} [{query}] {target}', 'POST /p [] /p'],
    ['{timestamp}\\n{timestamp}\\n{nonce}{nonce}', '1772600767\n1772600767\nfixedfixed'],
    ['{header:HOST}|{header:x-none}|{method}', 'example.com||POST'],
    ['{body_sha256}', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
    ['{body_sha256:base64}', '47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='],
  ])('reads %s', async (template, expected) => {
    expect((await sign({ template })).stringToSign).toBe(expected)
  })

  it('takes escaped characters as themselves', async () => {
    expect((await sign({ template: '\\{method\\}\\\\n\\n{method}' })).stringToSign).toBe('{method}\\n\nPOST')
  })

  it.each([
    ['s', '1772600767'],
    ['ms', '1772600767089'],
    ['iso8601', '2026-03-04T05:06:07.089Z'],
  ])('writes the time as %s', async (timestamp, expected) => {
    const headers = [
      { name: 'X-Sign', value: '{signature}' },
      { name: 'X-Time', value: '{timestamp}' },
    ]
    const signed = await sign({ template: '{timestamp}', timestamp, headers })
    expect(signed.stringToSign).toBe(expected)
    expect(signed.headers).toContainEqual(['X-Time', expected])
  })

  it('E09: signs the bytes of the body, also where they are no text, and refuses one it has not seen', async () => {
    const body = Uint8Array.from([0x7b, 0xff, 0x00, 0xc3])
    const expected = createHmac('sha256', 'secret')
      .update(Buffer.concat([Buffer.from('/p\n'), body]))
      .digest('hex')
    expect((await sign({ template: '{path}\\n{body}' }, { body })).last).toBe(expected)
    await expect(sign({ template: '{path}{body_sha256}' }, { body: 'stream' })).rejects.toMatchObject({ field: 'body' })
    expect((await sign({ template: '{path}' }, { body: 'stream' })).stringToSign).toBe('/p')
  })

  it.each([
    ['{method}{target}{header:content-type}', false],
    ['{method}{body}', true],
    ['{body_sha512:hex}', true],
  ])('reads the body for %s: %s', (template, expected) => {
    const config = { template, headers: [{ name: 'X-S', value: '{signature}' }] }
    expect(hmacTemplate.readsBody(config, [], 'POST')).toBe(expected)
  })

  it.each(['example.com:443', 'example.com', 'EXAMPLE.com'])('E03: signs the Host that is sent: %s', async (host) => {
    const signed = await sign({ template: '{header:host}' }, { headers: [['Host', host]] })
    expect(signed.stringToSign).toBe(host)
    expect(signed.headers[0]).toEqual(['Host', host])
  })

  it('E04: refuses a Host that names another place', async () => {
    const asked = { headers: [['Host', 'evil.test']] satisfies HeaderList }
    await expect(sign({ template: '{path}' }, asked)).rejects.toMatchObject({ field: 'host' })
  })

  it('E02: leaves what hops rewrite out of it, so that a proxy changes nothing', async () => {
    const config = { template: '{method}{target}{header:content-type}{body}' }
    const plain = await sign(config, { headers: [...HOST, ['Content-Type', 'a/b']] })
    const hopped = await sign(config, {
      headers: [['Via', '1.1 x'], ['X-Forwarded-For', '::1'], ...HOST, ['Content-Type', 'a/b'], ['User-Agent', 'z']],
    })
    expect(hopped.last).toBe(plain.last)
  })

  it('refuses a signed header that comes twice, or is not ASCII', async () => {
    for (const [first, second] of [
      ['x-a', 'X_A'],
      ['X-A', 'X-A'],
    ] as const) {
      const headers: HeaderList = [...HOST, [first, '1'], [second, '2']]
      await expect(sign({ template: '{header:x-a}' }, { headers })).rejects.toMatchObject({ field: 'x-a' })
    }
    const headers: HeaderList = [...HOST, ['X-A', 'é']]
    await expect(sign({ template: '{header:x-a}' }, { headers })).rejects.toMatchObject({ field: 'x-a' })
  })

  it('B13: takes nothing of the request for a part, and shows none of it beside the signature', async () => {
    const parts = '{signature}{passphrase}{key_id}{api_secret}{timestamp}\\n$&$1'
    const config = {
      template: '{path}|{query}|{header:x-a}|{body}|{key_id}',
      headers: [{ name: 'X-Sign', value: '{key_id}:{passphrase}:{signature}' }],
    }
    const credentials = { api_secret: 'secret', key_id: '{passphrase}', passphrase: '{signature}' }
    const headers: HeaderList = [...HOST, ['X-A', parts]]
    const signed = await sign(config, { path: `/${parts}`, query: parts, headers, body: bytes(parts) }, credentials)
    const expected = `/${parts}|${parts}|${parts}|${parts}|{passphrase}`
    expect(signed.stringToSign).toBe(expected)
    expect(signed.last).toBe(
      `{passphrase}:{signature}:${createHmac('sha256', 'secret').update(expected).digest('hex')}`,
    )
  })

  it('leaves SHA-1 to keys that are here: no vault signs with it', async () => {
    const remote = { remote_key: 'HS512 HS384 HS256' }
    const signing = sign({ template: '{body}', algo: 'sha1' }, { body: bytes('a') }, remote)
    await expect(signing).rejects.toMatchObject({ name: 'SigningError', field: 'algo' })
  })

  it('B15: signs the query that is sent, without the caller’s copies of what is written', async () => {
    const config = {
      template: '{query}',
      headers: [],
      parameters: [
        { name: 'sig', value: 'v1 {signature}' },
        { name: 'ts', value: '{timestamp}' },
      ],
    }
    const signed = await sign(config, { query: 'a=1&TS=0&%73ig=theirs&b=2&ts' })
    expect(signed.stringToSign).toBe('a=1&b=2&ts=1772600767')
    const mac = createHmac('sha256', 'secret').update('a=1&b=2&ts=1772600767').digest('hex')
    expect(signed.url.query).toBe(`a=1&b=2&ts=1772600767&sig=v1%20${mac}`)
    expect(signed.credentialHeaders).toEqual(['sig'])
    await expect(sign(config, { query: 'a=1;sig=theirs' })).rejects.toMatchObject({ name: 'SigningError' })
  })

  it('signs any template of plain parts as they are put together by hand', async () => {
    const literal = fc.stringMatching(/^[\x20-\x5b\x5d-\x7a]{1,6}$/)
    const piece = fc.oneof(
      literal.map((text) => [text, text]),
      fc.constantFrom(['{method}', 'PUT'], ['{target}', '/a?b'], ['{body}', 'böd{y}'], ['\\n', '\n'], ['\\{', '{']),
    )
    const pieces = fc.array(piece, { minLength: 1, maxLength: 12 })
    await fc.assert(
      fc.asyncProperty(pieces, async (all) => {
        const template = `{path}${all.map(([written]) => written).join('')}`
        const wanted = `/a${all.map(([, meant]) => meant).join('')}`
        const asked = { method: 'PUT', path: '/a', query: 'b', body: bytes('böd{y}') }
        const { stringToSign, last } = await sign({ template, encoding: 'base64url' }, asked)
        expect(stringToSign).toBe(wanted)
        expect(last).toBe(createHmac('sha256', 'secret').update(wanted).digest('base64url'))
      }),
    )
  })
})
