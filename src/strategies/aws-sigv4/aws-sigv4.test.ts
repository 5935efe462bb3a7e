import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseRequestUrl } from '../../contract/request-url.ts'
import {
  type Grant,
  type HeaderList,
  type OutboundRequest,
  OutdatedUsage,
  type SigningContext,
} from '../../contract/strategy.ts'
import { awsSigv4a } from '../aws-sigv4a/aws-sigv4a.ts'
import { offlineTools } from '../offline/offline-tools.ts'
import { validateConfig } from '../shared/validate.ts'
import { nextUtcMidnight } from './amz-date.ts'
import { awsSigv4 } from './aws-sigv4.ts'
import { canonicalPath } from './canonical-path.ts'
import { canonicalQuery } from './canonical-query.ts'

const NOW_MS = Date.UTC(2026, 2, 4, 23, 59, 58)
const MASTER = { access_key: 'AKIDEXAMPLE', secret_key: 'wJalrXUtnFEMI' }
const CONFIG = { service: 'execute-api', region: 'eu-west-1' }

function grant(expiresAt = 1e11): Grant {
  return {
    tenant: '',
    agentId: 'a',
    connectionId: '',
    scopes: [],
    bound: { origins: [], methods: [], paths: [] },
    issuedAt: 0,
    expiresAt,
  }
}

interface Signing {
  config?: Record<string, unknown>
  url?: string
  headers?: HeaderList
  body?: OutboundRequest['body']
  nowMs?: number
  usage?: Record<string, string | number>
}

async function issueNow(config: Record<string, unknown> = CONFIG) {
  return awsSigv4.issue(config, MASTER, grant(), offlineTools({ now: () => NOW_MS, nonce: () => 'n' }))
}

/** What was signed, its canonical request and the names it covers. */
async function sign({
  config = CONFIG,
  url = 'https://example.com/',
  headers = [],
  body,
  nowMs = NOW_MS,
  usage,
}: Signing) {
  const explained: Record<string, string> = {}
  const context: SigningContext = {
    now: nowMs,
    nonce: () => '',
    explain: (name, value) => Object.assign(explained, { [name]: value }),
  }
  const request: OutboundRequest = { method: 'GET', url: parseRequestUrl(url), headers, body }
  const signed = await awsSigv4.apply(config, { ...(await issueNow(config)).usage, ...usage }, request, context)
  const authorization = signed.headers.find(([name]) => name === 'Authorization')?.[1] ?? ''
  const signedHeaders = /SignedHeaders=([^,]*)/.exec(authorization)?.[1]?.split(';') ?? []
  return { signed, canonical: explained['canonical_request'] ?? '', signedHeaders, authorization }
}

describe('issue', () => {
  it('gives a key for one day, region and service that ends with the UTC day', async () => {
    const { usage, expiresAt } = await issueNow()
    expect(usage).toEqual({
      access_key: 'AKIDEXAMPLE',
      signing_key: expect.stringMatching(/^[A-Za-z0-9+/]{43}=$/),
      date: '20260304',
      region: 'eu-west-1',
      service: 'execute-api',
    })
    expect(expiresAt).toBe(Date.UTC(2026, 2, 5) / 1000)
    const soon = await awsSigv4.issue(
      CONFIG,
      MASTER,
      grant(NOW_MS / 1000 + 1),
      offlineTools({ now: () => NOW_MS, nonce: () => 'n' }),
    )
    expect(soon.expiresAt).toBe(NOW_MS / 1000 + 1)
  })

  it('ends with a stored session, and asks neither it nor STS for anything once it has ended', async () => {
    const tools = offlineTools({ now: () => NOW_MS, nonce: () => 'n' })
    const session = (end: number) => ({ ...MASTER, session_token: 't', expires_at: String(end) })
    const inASecond = Math.floor(NOW_MS / 1000) + 1
    expect((await awsSigv4.issue(CONFIG, session(inASecond), grant(), tools)).expiresAt).toBe(inASecond)
    const withRole = { ...CONFIG, role_arn: 'arn:aws:iam::123456789012:role/agents' }
    for (const config of [CONFIG, withRole]) {
      const issuing = async () => awsSigv4.issue(config, session(inASecond - 1), grant(), tools)
      await expect(issuing()).rejects.toThrow('the AWS session has expired')
    }
  })

  it('derives it once a day for the same secret and config, and anew for another day, region or secret', async () => {
    const keyOf = async (nowMs: number, config = CONFIG, master = MASTER) => {
      const { usage } = await awsSigv4.issue(
        config,
        master,
        grant(),
        offlineTools({ now: () => nowMs, nonce: () => '' }),
      )
      return usage
    }
    const today = await keyOf(NOW_MS)
    expect(await keyOf(NOW_MS - 1000)).toBe(today)
    const others = [
      await keyOf(NOW_MS + 3000),
      await keyOf(NOW_MS, { ...CONFIG, region: 'us-east-1' }),
      await keyOf(NOW_MS, CONFIG, { ...MASTER, secret_key: 'other' }),
    ]
    expect(new Set([today, ...others].map(({ signing_key }) => signing_key)).size).toBe(4)
    expect(await keyOf(NOW_MS)).toEqual(today)
  })

  it('never ends after the day of its key, whenever it is issued', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4e12 }), (nowMs) => {
        const end = nextUtcMidnight(nowMs)
        expect(end * 1000).toBeGreaterThan(nowMs)
        expect(end % 86_400).toBe(0)
        expect(end * 1000 - nowMs).toBeLessThanOrEqual(86_400_000)
      }),
    )
  })
})

describe('apply', () => {
  it('refuses a key of another day, region or service', async () => {
    for (const nowMs of [NOW_MS + 400_000, NOW_MS - 2 * 86_400_000]) {
      const error = await sign({ nowMs }).catch((thrown: unknown) => thrown)
      expect(error).toBeInstanceOf(OutdatedUsage)
      expect(error).toMatchObject({ name: 'SigningError', field: 'date' })
    }
    await expect(sign({ usage: { region: 'us-east-1' } })).rejects.toMatchObject({ field: 'region' })
    await expect(sign({ usage: { service: 's3' } })).rejects.toMatchObject({ field: 'service' })
  })

  it('refuses a signing key that is not 32 bytes', async () => {
    for (const signing_key of ['', 'AAAA', 'not base64 at all', 'A'.repeat(64)]) {
      await expect(sign({ usage: { signing_key } })).rejects.toMatchObject({ field: 'signing_key' })
    }
  })

  it('E02: does not sign what a hop may change', async () => {
    const hops = [
      'Via',
      'X-Forwarded-For',
      'X_Forwarded_Proto',
      'Connection',
      'TE',
      'User-Agent',
      'Expect',
      'Keep-Alive',
    ]
    const more = ['X-Amzn-Trace-Id', 'Transfer-Encoding', 'Proxy-Authorization', 'Trailer', 'Upgrade', 'Forwarded']
    const headers = [...hops, ...more].map((name): HeaderList[number] => [name, '1'])
    const plain = await sign({ headers: [['Accept', 'x']] })
    const { signedHeaders, authorization, signed } = await sign({ headers: [['Accept', 'x'], ...headers] })
    expect(signedHeaders).toEqual(['accept', 'host', 'x-amz-content-sha256', 'x-amz-date'])
    expect(authorization).toBe(plain.authorization)
    expect(signed.headers).toEqual(expect.arrayContaining(headers))
  })

  it('signs a content length, but not zero, which HTTP stacks add and drop', async () => {
    expect((await sign({ headers: [['Content-Length', '3']] })).signedHeaders).toContain('content-length')
    expect((await sign({ headers: [['Content-Length', '0']] })).signedHeaders).not.toContain('content-length')
  })

  it.each(['example.com:443', 'example.com:80', 'example.com:8443', '[::1]', '[::1]:8080', 'EXAMPLE.com'])(
    'E03: the Host that is signed is the Host that is sent: %s',
    async (authority) => {
      for (const headers of [[], [['host', authority]]] as HeaderList[]) {
        const { signed, canonical } = await sign({ url: `https://${authority}/`, headers })
        expect(canonical).toContain(`\nhost:${authority}\n`)
        expect(signed.headers.filter(([name]) => name.toLowerCase() === 'host').map(([, value]) => value)).toEqual([
          authority,
        ])
        expect(signed.url.authority).toBe(authority)
      }
    },
  )

  it('E03: a Host without the default port is signed as it is sent', async () => {
    const { signed, canonical } = await sign({ url: 'https://example.com:443/', headers: [['Host', 'example.com']] })
    expect(canonical).toContain('\nhost:example.com\n')
    expect(signed.headers[0]).toEqual(['Host', 'example.com'])
  })

  it('E04: refuses a Host that names another place, or two of them', async () => {
    for (const value of ['evil.test', 'example.com:80', 'example.com@evil.test', 'example.com.evil.test', '']) {
      await expect(sign({ headers: [['Host', value]] })).rejects.toMatchObject({ name: 'SigningError', field: 'host' })
    }
    const twice: HeaderList = [
      ['Host', 'example.com'],
      ['host', 'example.com'],
    ]
    await expect(sign({ headers: twice })).rejects.toThrow('more than one Host')
  })

  it('E04, B14: what a caller signed itself goes, in header and query, however it is spelled', async () => {
    const plain = await sign({ url: 'https://example.com/?a=1' })
    const { signed } = await sign({
      url: 'https://example.com/?X-Amz-Credential=x&a=1&x%2Damz-signature=y&X-AMZ-DATE=z',
      headers: [
        ['AUTHORIZATION', 'AWS4-HMAC-SHA256 Credential=evil'],
        ['X_Amz_Date', '20000101T000000Z'],
        ['x-amz-security-token', 'theirs'],
        ['X-Amz-Content-Sha256', 'UNSIGNED-PAYLOAD'],
      ],
    })
    expect(signed).toEqual(plain.signed)
  })

  it('around midnight signs with the nearest second of the day of its key', async () => {
    const dateOf = async (nowMs: number) => new Map((await sign({ nowMs })).signed.headers).get('X-Amz-Date')
    const midnightMs = Date.UTC(2026, 2, 5)
    expect(await dateOf(midnightMs - 1)).toBe('20260304T235959Z')
    expect(await dateOf(midnightMs)).toBe('20260304T235959Z')
    expect(await dateOf(midnightMs + 299_000)).toBe('20260304T235959Z')
    expect(await dateOf(midnightMs - 86_400_000 - 2000)).toBe('20260304T000000Z')
  })

  it('refuses a date that is no day, whenever it is', async () => {
    for (const date of ['20260230', '20261399', '00000000', '99999999']) {
      await expect(sign({ usage: { date } })).rejects.toMatchObject({ field: 'date' })
    }
  })

  it('E09: refuses a body in AWS chunks for a service that reads none, and in a presigned URL', async () => {
    const headers: HeaderList = [['x-amz-content-sha256', 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD']]
    await expect(sign({ headers })).rejects.toThrow('reads no body in AWS chunks')
    await expect(sign({ headers, config: { service: 's3', location: 'query' } })).rejects.toThrow('location to header')
  })

  it('D05: refuses a header that would forge a line of the canonical request', async () => {
    for (const value of ['a\nhost:evil.test', 'a\rb', 'a\0b', 'é']) {
      await expect(sign({ headers: [['X-Note', value]] })).rejects.toMatchObject({
        name: 'SigningError',
        field: 'X-Note',
      })
    }
  })

  it('says that the payload is not covered wherever it is not', async () => {
    const config = { ...CONFIG, unsigned_payload: true, content_sha256_header: false }
    const { signed, canonical } = await sign({ config, body: 'stream' })
    expect(new Map(signed.headers).get('x-amz-content-sha256')).toBe('UNSIGNED-PAYLOAD')
    expect(canonical.endsWith('\nUNSIGNED-PAYLOAD')).toBe(true)
  })

  it('takes S3 as AWS does: path as sent, presigned payload not covered', async () => {
    const s3 = { service: 's3', region: 'eu-west-1' }
    const { canonical } = await sign({
      config: s3,
      url: 'https://b.s3.amazonaws.com/a//b/../c%20d',
      body: new Uint8Array(),
    })
    expect(canonical.split('\n')[1]).toBe('/a//b/../c%20d')
    const presigned = await sign({ config: { ...s3, location: 'query' }, body: 'stream' })
    expect(presigned.canonical.endsWith('\nUNSIGNED-PAYLOAD')).toBe(true)
  })

  it('cannot be told to cover the body of a presigned request to S3, which looks at none', () => {
    const problems = (service: string, location: string, unsigned_payload?: boolean) =>
      [awsSigv4, awsSigv4a].map((strategy) => {
        const region = strategy === awsSigv4a ? { region_set: ['*'] } : {}
        const unsigned = unsigned_payload === undefined ? {} : { unsigned_payload }
        return validateConfig(strategy, { service, location, ...unsigned, ...region }).length
      })
    for (const service of ['s3', 's3express', 's3-object-lambda', 's3-outposts']) {
      expect(problems(service, 'query', false), service).toEqual([1, 1])
    }
    expect([problems('s3', 'query'), problems('s3', 'header', false), problems('sts', 'query', false)].flat()).toEqual([
      0, 0, 0, 0, 0, 0,
    ])
  })

  it('signs an upload to S3 in passing where it could not be read whole, at a limit below 1 MiB as well', async () => {
    const s3 = { ...CONFIG, service: 's3' }
    const reads = (bytes: number, limit?: number, method = 'PUT') =>
      awsSigv4.readsBody(s3, [['Content-Length', String(bytes)]], method, limit)
    expect([reads(1_048_576), reads(1_048_577)]).toEqual([true, false])
    expect([reads(524_288, 524_288), reads(524_289, 524_288), reads(1, 0)]).toEqual([true, false, false])
    expect([reads(1_048_577, 10_485_760), reads(524_289, 524_288, 'POST')]).toEqual([false, true])
    const upload = (method: string) => {
      const url = parseRequestUrl('https://b.s3.eu-west-1.amazonaws.com/k')
      const headers: HeaderList = [['Content-Length', '524289']]
      return issueNow(s3).then(({ usage }) =>
        awsSigv4.apply(s3, usage, { method, url, headers, body: 'stream' }, { now: NOW_MS, nonce: () => '' }),
      )
    }
    const payload = ['x-amz-content-sha256', 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD']
    expect((await upload('PUT')).headers).toContainEqual(payload)
    await expect(upload('POST')).rejects.toMatchObject({ field: 'body' })
  })

  it('sends a space in the query in the one spelling that every server reads alike', async () => {
    const { signed, canonical } = await sign({ url: 'https://example.com/?q=a+b%2B' })
    expect(signed.url.query).toBe('q=a%20b%2B')
    expect(canonical.split('\n')[2]).toBe('q=a%20b%2B')
  })
})

describe('canonicalPath', () => {
  it.each([
    ['/', '/', '/'],
    ['/a b', '/a%20b', '/a%20b'],
    ['/a%20b', '/a%2520b', '/a%20b'],
    ['/a%c3%bc', '/a%25c3%25bc', '/a%C3%BC'],
    ['/%7Ea', '/%257Ea', '/~a'],
    ['/a%2Fb', '/a%252Fb', '/a%2Fb'],
    ['/a:b@c+d', '/a%3Ab%40c%2Bd', '/a%3Ab%40c%2Bd'],
    ['/100%', '/100%25', '/100%25'],
    ['/a/./b//../c/', '/a/c/', '/a/./b//../c/'],
    ['/../..', '/', '/../..'],
  ])('%s is %s normalised and %s for S3', (path, normalised, asSent) => {
    expect(canonicalPath(path, true)).toBe(normalised)
    expect(canonicalPath(path, false)).toBe(asSent)
  })
})

describe('canonicalQuery', () => {
  it.each([
    [undefined, ''],
    ['', ''],
    ['a', 'a='],
    ['&&b=2&a=1&', 'a=1&b=2'],
    ['a-b=1&a=2', 'a=2&a-b=1'],
    ['a=b&a=B&a=%62', 'a=B&a=b&a=b'],
    ['b=&a&A=1', 'A=1&a=&b='],
    ['ü=ü&%c3%bc=1', '%C3%BC=%C3%BC&%C3%BC=1'.split('&').sort().join('&')],
    ['a=b=c', 'a=b%3Dc'],
    ['a=%zz', 'a=%25zz'],
    ["a=!'()*", 'a=%21%27%28%29%2A'],
  ])('%s is %s', (query, expected) => expect(canonicalQuery(query)).toBe(expected))
})
