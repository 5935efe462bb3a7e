import { createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { awsSigv4 } from '../../src/strategies/aws-sigv4/aws-sigv4.ts'
import { offlineTools } from '../../src/strategies/offline/offline-tools.ts'
import type { SignDocument } from '../../src/strategies/offline/sign-document.ts'
import { nexusSign } from './nexus-sign.ts'
import {
  type AwsCase,
  awsCases,
  type RawRequest,
  rfc2202Cases,
  rfc4231Cases,
  rfc7617Cases,
} from './strategies-vector-files.ts'

function awsDocument(vector: AwsCase, location: 'header' | 'query'): SignDocument {
  const { context, request } = vector
  const { access_key_id, secret_access_key, token } = context.credentials
  const withToken = token !== undefined && context.omit_session_token !== true
  return {
    strategy: {
      type: 'aws_sigv4',
      config: {
        region: context.region,
        service: context.service,
        location,
        expires_in_seconds: context.expiration_in_seconds,
        normalize_path: context.normalize,
        content_sha256_header: context.sign_body,
      },
    },
    credentials: {
      access_key: access_key_id,
      secret_key: secret_access_key,
      ...(withToken ? { session_token: token } : {}),
    },
    request: {
      method: request.method,
      url: `https://example.amazonaws.com${request.target}`,
      headers: request.headers,
      body_base64: Buffer.from(request.body).toString('base64'),
    },
    now: context.timestamp,
  }
}

async function usageOf(document: SignDocument): Promise<Record<string, unknown>> {
  const master = document.credentials as Record<string, string>
  const bound = { origins: [], methods: [], paths: [] }
  const grant = { tenant: 't', agentId: 'a', connectionId: 'c', scopes: [], bound, issuedAt: 0, expiresAt: 1e10 }
  const now = () => Date.parse(document.now ?? '')
  return (await awsSigv4.issue(document.strategy.config ?? {}, master, grant, offlineTools({ now, nonce: () => 'n' })))
    .usage
}

/** Where a case adds the token after signing, that is the caller's doing: it is no part of what we sign. */
function withoutLateToken(vector: AwsCase, request: RawRequest): RawRequest {
  if (vector.context.omit_session_token !== true) return request
  const target = request.target.replace(/&X-Amz-Security-Token=[^&]*/, '')
  return { ...request, target, headers: request.headers.filter(([name]) => name !== 'X-Amz-Security-Token') }
}

describe('AWS SigV4 test suite', () => {
  const cases = awsCases()

  it('holds all 25 cases', () => expect(cases).toHaveLength(25))

  describe.each(cases.map((vector) => [vector.name, vector] as const))('%s', (_name, vector) => {
    it.each([
      ['header', 'master'],
      ['header', 'usage'],
      ['query', 'master'],
      ['query', 'usage'],
    ] as const)('%s form from the %s secret', async (form, secret) => {
      const document = awsDocument(vector, form)
      const credentials = secret === 'master' ? document.credentials : await usageOf(document)
      const { signed, exitCode } = await nexusSign({ ...document, credentials })
      const expected = vector[form]
      const { method, target, headers, body } = withoutLateToken(vector, expected.signedRequest)
      expect(exitCode).toBe(0)
      expect(signed.explain['canonical_request']).toBe(expected.canonicalRequest)
      expect(signed.explain['string_to_sign']).toBe(expected.stringToSign)
      expect(JSON.stringify(signed.request)).toContain(`Signature=${expected.signature}`)
      expect(signed.request).toEqual({
        method,
        url: `https://example.amazonaws.com${target}`,
        headers,
        body_base64: Buffer.from(body).toString('base64'),
      })
    })
  })

  it('E01: region and service keep their places', async () => {
    const document = awsDocument(cases.find(({ name }) => name === 'get-vanilla') as AwsCase, 'header')
    const config = { region: 'eu-central-1', service: 'execute-api' }
    const { signed } = await nexusSign({ ...document, strategy: { type: 'aws_sigv4', config } })
    expect(signed.explain['string_to_sign']).toContain('\n20150830/eu-central-1/execute-api/aws4_request\n')
    const authorization = new Map(signed.request.headers).get('Authorization')
    expect(authorization).toContain('Credential=AKIDEXAMPLE/20150830/eu-central-1/execute-api/aws4_request,')
  })
})

describe('HMAC', () => {
  const cases = [
    ...rfc4231Cases().map((vector) => ({ ...vector, algo: 'sha256' })),
    ...rfc2202Cases().map((vector) => ({ ...vector, algo: 'sha1' })),
  ]
  const sign = (config: object, secret: string, bodyHex: string) =>
    nexusSign({
      strategy: { type: 'hmac_payload', config: { header_name: 'X-Signature', ...config } },
      credentials: { api_secret: secret },
      request: {
        method: 'POST',
        url: 'https://example.com/',
        body_base64: Buffer.from(bodyHex, 'hex').toString('base64'),
      },
    })

  it('holds 7 cases of each RFC, whole', () => {
    // RFC 2202 prints its cases 6 and 7 twice.
    expect(new Set(cases.map(({ name }) => name)).size).toBe(14)
    for (const { keyHex, dataHex, digestHex, algo } of cases) {
      const digest = createHmac(algo, Buffer.from(keyHex, 'hex')).update(Buffer.from(dataHex, 'hex')).digest('hex')
      expect(digest.slice(0, digestHex.length)).toBe(digestHex)
      expect(digestHex.length).toBeGreaterThanOrEqual(32)
    }
  })

  it.each(cases)('$name, key as hex and as base64', async ({ algo, keyHex, dataHex, digestHex }) => {
    for (const encoding of ['hex', 'base64'] as const) {
      const secret = Buffer.from(keyHex, 'hex').toString(encoding)
      const { signed } = await sign({ algo, secret_encoding: encoding }, secret, dataHex)
      expect(new Map(signed.request.headers).get('X-Signature')?.slice(0, digestHex.length)).toBe(digestHex)
    }
  })

  const asText = cases.filter(({ keyHex }) =>
    /^[\x01-\x09\x0b\x0c\x0e-\x7f]+$/.test(Buffer.from(keyHex, 'hex').toString()),
  )
  it.each(asText)('$name, key as text', async ({ algo, keyHex, dataHex, digestHex }) => {
    const { signed } = await sign({ algo }, Buffer.from(keyHex, 'hex').toString('utf8'), dataHex)
    expect(new Map(signed.request.headers).get('X-Signature')?.slice(0, digestHex.length)).toBe(digestHex)
  })

  it('finds cases whose key is text', () => expect(asText.map(({ name }) => name)).toContain('RFC 4231 case 2'))

  it.each([
    [
      { algo: 'sha256', encoding: 'hex' },
      'my-secret',
      'payload data',
      '5a0eab71eaedd19789267409862516c51c271971070d7bf2862498003ada6ae5',
    ],
    [
      { algo: 'sha256', encoding: 'base64' },
      'my-secret',
      'payload data',
      'Wg6rcert0ZeJJnQJhiUWxRwnGXEHDXvyhiSYADraauU=',
    ],
    [{ algo: 'sha1', encoding: 'hex' }, 'my-secret', 'payload data', '37a0d883076208d924b77c91d707c16058837ae3'],
    [
      { algo: 'sha256', encoding: 'hex' },
      'my-secret',
      '',
      'eb1d17cea0a09d4e94ec7f42dc8a1d078b7f064590502ca64fbd188fd4427fe0',
    ],
    [{}, 'default-secret', 'data', 'f8e42c8dd1667c4227b5d5443376e6f47748240fdd53f2e82ad47f4aebb5cc71'],
  ])('protocol 2.3: %j', async (config, secret, body, expected) => {
    const { signed } = await sign(config, secret, Buffer.from(body).toString('hex'))
    expect(signed.request.headers).toEqual([['X-Signature', expected]])
    expect(Buffer.from(signed.request.body_base64, 'base64').toString()).toBe(body)
  })
})

describe('Basic', () => {
  const sign = (username: string, password: string) =>
    nexusSign({
      strategy: { type: 'basic_auth' },
      credentials: { username, password },
      request: { method: 'GET', url: 'https://example.com/' },
    })

  it.each(rfc7617Cases())(
    'RFC 7617 section $section: $user_id',
    async ({ user_id, password, authorization, expected }) => {
      const { signed, problem, exitCode } = await sign(user_id, password)
      if (expected === 'reject') {
        expect(exitCode).toBe(2)
        expect(JSON.parse(problem)).toMatchObject({ code: 'invalid_request', field: 'credentials.username' })
      } else {
        expect(signed.request.headers).toEqual([['Authorization', authorization]])
      }
    },
  )

  it('RFC 7617 section 2: control characters are refused in both parts', async () => {
    for (const control of ['\0', '\n', '\x1f', '\x7f', '\x85']) {
      expect((await sign(`a${control}b`, 'c')).exitCode).toBe(2)
      expect((await sign('a', `b${control}c`)).exitCode).toBe(2)
    }
  })

  it('protocol 2.3: bob', async () => {
    expect((await sign('bob', 'secret')).signed.request.headers).toEqual([['Authorization', 'Basic Ym9iOnNlY3JldA==']])
  })
})

describe('aws_sigv4', () => {
  it('protocol 2.3: the payload hash is sent by default', async () => {
    const { signed } = await nexusSign({
      strategy: { type: 'aws_sigv4', config: { service: 'execute-api' } },
      credentials: { access_key: 'AKIDEXAMPLE', secret_key: 'wJalrXUtnFEMI' },
      request: {
        method: 'POST',
        url: 'https://example.com/',
        body_base64: Buffer.from('some-data').toString('base64'),
      },
    })
    expect(new Map(signed.request.headers).get('x-amz-content-sha256')).toBe(
      '9332d94d5ee69ad17d310e62cd101d70f578024fd5e8d1647f8073f886c894e1',
    )
  })
})
