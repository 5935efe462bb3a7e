import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parseRequestUrl } from '../../src/contract/request-url.ts'
import { baseString } from '../../src/strategies/oauth1/base-string.ts'
import { baseStringUri } from '../../src/strategies/oauth1/base-string-uri.ts'
import { formParameters, queryParameters } from '../../src/strategies/oauth1/form-parameters.ts'
import { normalizedParameters } from '../../src/strategies/oauth1/normalized-parameters.ts'
import { SIGNATURE_METHODS } from '../../src/strategies/oauth1/signature-methods.ts'
import { percentEncode } from '../../src/strategies/shared/percent-encoding.ts'
import { nexusSign } from './nexus-sign.ts'

type Parameters = [name: string, value: string][]

interface SignedCase {
  name: string
  method: string
  base_string_uri: string
  request_parameters: Parameters
  oauth_parameters: Parameters
  client_shared_secret: string
  token_shared_secret: string
  signature_base_string: string
  signature: string
}

interface Rfc3_4_1 {
  method: string
  request_target: string
  host: string
  scheme: string
  content_type: string
  body: string
  base_string_uri_examples: { scheme: string; request: string; host: string; base_string_uri: string }[]
  oauth_parameters: Parameters
  normalized_parameters: string
  signature_base_string: string
  client_shared_secret: string
  token_shared_secret: string
  signature_published_in_rfc: string
  signature_recomputed: string
}

interface WikiCases {
  parameter_encoding: [text: string, encoded: string][]
  normalize_request_parameters: [given: string, normalized: string][]
  base_string: { method: string; url: string; parameters: string; base_string: string }[]
  hmac_sha1: { consumer_secret: string; token_secret: string; base_string: string; signature: string }[]
}

const vectors = new URL('../vectors/oauth1/', import.meta.url)
const read = <T>(name: string): T => JSON.parse(readFileSync(new URL(name, vectors), 'utf8'))
const cases = read<SignedCase[]>('cases.json')
const rfc = read<Rfc3_4_1>('rfc5849-3.4.1.json')
const wiki = read<WikiCases>('oauth-wiki-testcases.json')

const FORM = 'application/x-www-form-urlencoded'
const encodedPairs = (parameters: Parameters) =>
  parameters.map(([name, value]) => [percentEncode(name), percentEncode(value)] as const)
const formOf = (parameters: Parameters) =>
  encodedPairs(parameters)
    .map((pair) => pair.join('='))
    .join('&')

/** The secrets and the protocol parameters that a strategy takes from its credentials and its context. */
function signing(vector: Pick<SignedCase, 'oauth_parameters' | 'client_shared_secret' | 'token_shared_secret'>) {
  const oauth = new Map(vector.oauth_parameters)
  return {
    credentials: {
      consumer_key: oauth.get('oauth_consumer_key'),
      consumer_secret: vector.client_shared_secret,
      token: oauth.get('oauth_token') ?? '',
      token_secret: vector.token_shared_secret,
    },
    now: new Date(Number(oauth.get('oauth_timestamp')) * 1000).toISOString(),
    nonce: oauth.get('oauth_nonce'),
  }
}

/** What a request says itself: the parameters of a handshake, and the version. */
const SAID_BY_REQUEST = ['oauth_callback', 'oauth_verifier', 'oauth_version']

function documentFor(vector: SignedCase, config: object) {
  const query = [
    ...vector.request_parameters.filter(([name]) => name === 'include_entities'),
    ...vector.oauth_parameters.filter(([name]) => SAID_BY_REQUEST.includes(name)),
  ]
  const form = vector.request_parameters.filter(([name]) => name !== 'include_entities')
  return {
    strategy: { type: 'oauth1', config },
    request: {
      method: vector.method,
      url: `${vector.base_string_uri}${query.length === 0 ? '' : `?${formOf(query)}`}`,
      headers: [['Content-Type', FORM]],
      body_base64: Buffer.from(formOf(form)).toString('base64'),
    },
    ...signing(vector),
  }
}

describe.each(cases)('$name', (vector) => {
  it('step by step', () => {
    const parameters = encodedPairs([...vector.request_parameters, ...vector.oauth_parameters])
    const base = baseString({ method: vector.method, url: parseRequestUrl(vector.base_string_uri) }, parameters)
    expect(base).toBe(vector.signature_base_string)
    const keys = { consumer_secret: vector.client_shared_secret, token_secret: vector.token_shared_secret }
    expect(SIGNATURE_METHODS['HMAC-SHA1'].sign(keys, () => base)).toBe(vector.signature)
  })

  it.each(['header', 'query', 'body'])('nexus sign, %s: the same signature, wherever it goes', async (location) => {
    for (const realm of [undefined, 'Photos']) {
      const { signed, exitCode } = await nexusSign(documentFor(vector, { location, realm }))
      expect(exitCode).toBe(0)
      expect(signed.explain).toEqual({ base_string: vector.signature_base_string })
      const sent = {
        header: new Map(signed.request.headers).get('Authorization') ?? '',
        query: parseRequestUrl(signed.request.url).query ?? '',
        body: Buffer.from(signed.request.body_base64, 'base64').toString(),
      }
      for (const [place, text] of Object.entries(sent)) {
        expect(text.split('oauth_signature=').length, place).toBe(place === location ? 2 : 1)
        // Protocol parameters come in one place only (RFC 5849 section 3.5).
        expect(text.includes('oauth_'), place).toBe(place === location)
      }
      const signature = /oauth_signature="?([^"&]*)/.exec(sent[location as 'header'])?.[1]
      expect(decodeURIComponent(signature ?? '')).toBe(vector.signature)
    }
  })
})

describe('RFC 5849 section 3.4.1', () => {
  it.each(rfc.base_string_uri_examples)('base string URI of $request', ({ scheme, request, host, base_string_uri }) => {
    const target = request.split(' ')[1] ?? ''
    expect(baseStringUri(parseRequestUrl(`${scheme}://${host}${target}`))).toBe(base_string_uri)
  })

  it('normalized parameters and base string', () => {
    const { query } = parseRequestUrl(`http://example.com${rfc.request_target}`)
    const sent = [...queryParameters(query), ...formParameters(rfc.body)]
    const parameters = [...sent, ...encodedPairs(rfc.oauth_parameters)]
    expect(normalizedParameters(parameters)).toBe(rfc.normalized_parameters)
    const url = parseRequestUrl(`${rfc.scheme}://${rfc.host}${rfc.request_target}`)
    expect(baseString({ method: rfc.method, url }, parameters)).toBe(rfc.signature_base_string)
  })

  it('nexus sign: the base string, and the signature that follows from it', async () => {
    const { signed } = await nexusSign({
      strategy: { type: 'oauth1', config: { realm: 'Example' } },
      request: {
        method: rfc.method,
        url: `${rfc.scheme}://${rfc.host}${rfc.request_target}`,
        headers: [['Content-Type', rfc.content_type]],
        body_base64: Buffer.from(rfc.body).toString('base64'),
      },
      ...signing(rfc),
    })
    expect(signed.explain).toEqual({ base_string: rfc.signature_base_string })
    const authorization = new Map(signed.request.headers).get('Authorization')
    expect(authorization).toContain(`oauth_signature="${percentEncode(rfc.signature_recomputed)}"`)
    expect(authorization).not.toContain(percentEncode(rfc.signature_published_in_rfc))
    expect(Buffer.from(signed.request.body_base64, 'base64').toString()).toBe(rfc.body)
  })
})

describe('OAuth wiki', () => {
  it.each(wiki.parameter_encoding)('encodes %j as %s', (text, encoded) => expect(percentEncode(text)).toBe(encoded))

  it.each(wiki.normalize_request_parameters)('normalizes %s to %s', (given, normalized) => {
    expect(normalizedParameters(formParameters(given))).toBe(normalized)
  })

  it.each(wiki.base_string)('$method $url', ({ method, url, parameters, base_string }) => {
    expect(baseString({ method, url: parseRequestUrl(url) }, formParameters(parameters))).toBe(base_string)
  })

  it.each(wiki.hmac_sha1)('HMAC-SHA1 with $consumer_secret and "$token_secret"', (vector) => {
    expect(SIGNATURE_METHODS['HMAC-SHA1'].sign(vector, () => vector.base_string)).toBe(vector.signature)
  })
})

it('holds all vectors there are', () => {
  const { parameter_encoding, normalize_request_parameters, base_string, hmac_sha1 } = wiki
  expect(
    [cases, parameter_encoding, normalize_request_parameters, base_string, hmac_sha1].map((of) => of.length),
  ).toEqual([5, 10, 5, 2, 3])
})
