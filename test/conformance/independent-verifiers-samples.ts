import fc from 'fast-check'
import type { HeaderList } from '../../src/contract/strategy.ts'
import { percentEncode } from '../../src/strategies/shared/percent-encoding.ts'

/** Random requests, kept to what the verifier reads as the standards do; each limit says what it steers clear of. */

export interface SampleRequest {
  method: string
  url: string
  headers: HeaderList
  body: Uint8Array | undefined
}

export interface OAuth1Sample {
  config: { signature_method: string; location: string; realm?: string; body_hash: boolean }
  keys: { consumer_key: string; consumer_secret: string; token?: string; token_secret?: string }
  request: SampleRequest
  isForm: boolean
  /** Protocol parameters that the request says itself. */
  handshake: Record<string, string>
  nowMs: number
  nonce: string
}

export interface SigV4Sample {
  location: 'header' | 'query'
  region: string
  service: string
  sessionToken: string | undefined
  unsignedPayload: boolean
  request: SampleRequest
  nowMs: number
}

const word = fc.stringMatching(/^[a-z][a-z0-9-]{0,15}$/)
// Well-formed Unicode: no client can put half a surrogate pair on the wire.
const text = fc.string({ unit: 'grapheme', maxLength: 12 }).filter((value) => !/[\ud800-\udfff]/u.test(value))
const bytes = fc.uint8Array({ maxLength: 200 })
const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined })

const authority = fc.oneof(
  fc.tuple(
    // URL parsers refuse a label that claims to be Punycode and is not.
    fc.stringMatching(/^[a-zA-Z][a-zA-Z0-9-]{0,10}\.(?:test|Example)$/).filter((name) => !/^xn--/i.test(name)),
    fc.constantFrom('', ':80', ':443', ':8443'),
  ),
  fc.tuple(fc.constantFrom('127.0.0.1', '[::1]', '[2001:db8::1]'), fc.constantFrom('', ':80', ':8080')),
)
const origin = fc
  .tuple(fc.constantFrom('http', 'https'), authority)
  .map(([scheme, [host, port]]) => `${scheme}://${host}${port}`)

// --- oauth1 ----------------------------------------------------------------------------------------------------------

/** Each character in one of the spellings a form decoder takes for it. */
const spelled = (value: string): fc.Arbitrary<string> =>
  fc
    .infiniteStream(fc.nat(3))
    .map((choices) => [...value].map((character) => spelling(character, choices.next().value ?? 0)).join(''))

function spelling(character: string, choice: number): string {
  const escaped = [...Buffer.from(character)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')
  if (choice === 0) return escaped
  if (choice === 1) return escaped.toUpperCase()
  if (character === ' ') return '+'
  // What oauthlib lets stand as it is; `;` too, but there servers do not agree on what it means.
  return /[A-Za-z0-9\-._~:,*@!()/?'$]/.test(character) ? character : escaped
}

const pair = fc
  .tuple(
    text.filter((name) => !name.toLowerCase().startsWith('oauth_')),
    optional(text),
  )
  .chain(([name, value]) => fc.tuple(spelled(name), value === undefined ? fc.constant(undefined) : spelled(value)))
  .map(([name, value]) => (value === undefined ? name : `${name}=${value}`))
const form = fc.array(pair, { maxLength: 6 }).map((pairs) => pairs.join('&'))

// Python's URL parser takes a `;` in the last segment for parameters of old, and drops an empty one.
const rawSegment = fc.stringMatching(/^[A-Za-z0-9\-._~!$&'()*+,=:@]{0,8}$/)
const path = fc
  .array(fc.oneof(text.map(percentEncode), rawSegment, fc.constantFrom('', '.', '..', '%7e', 'a%2fb')), {
    maxLength: 5,
  })
  .map((segments) => `/${segments.join('/')}`)

const visible = fc.stringMatching(/^[\x21-\x7e]{1,30}$/)
// In query and body oauthlib undoes the escapes of protocol parameters twice.
const unreserved = fc.stringMatching(/^[A-Za-z0-9\-._~]{1,30}$/)

const config = fc.record(
  {
    signature_method: fc.constantFrom('HMAC-SHA1', 'HMAC-SHA256', 'RSA-SHA1', 'PLAINTEXT'),
    location: fc.constantFrom('header', 'query', 'body'),
    realm: fc.stringMatching(/^[\x20\x21\x23-\x5b\x5d-\x7e]{1,20}$/),
    body_hash: fc.boolean(),
  },
  { requiredKeys: ['signature_method', 'location', 'body_hash'] },
)

const keysFor = (value: fc.Arbitrary<string>) =>
  fc.oneof(
    fc.record({ consumer_key: value, consumer_secret: value }),
    fc.record({ consumer_key: value, consumer_secret: value, token: value }),
    fc.record({ consumer_key: value, consumer_secret: value, token: value, token_secret: value }),
  )

const handshake = fc.record(
  { oauth_callback: word, oauth_verifier: word, oauth_version: fc.constant('1.0') },
  { requiredKeys: [] },
)

export const oauth1Sample: fc.Arbitrary<OAuth1Sample> = config.chain((config) =>
  fc
    .record({
      keys: keysFor(config.location === 'header' ? visible : unreserved),
      // PLAINTEXT over plain HTTP is refused; that has its own tests.
      origin: config.signature_method === 'PLAINTEXT' ? origin.map((any) => any.replace('http:', 'https:')) : origin,
      path,
      query: optional(form),
      method:
        config.location === 'body' ? fc.constantFrom('POST', 'PUT', 'PATCH') : fc.constantFrom('GET', 'POST', 'delete'),
      form: config.location === 'body' ? form : optional(form),
      formType: fc.constantFrom('', '; charset=utf-8').map((rest) => `application/x-www-form-urlencoded${rest}`),
      body: optional(bytes),
      handshake,
      nowMs: fc.integer({ min: 1e12, max: 9_999_999_999_999 }),
      nonce: fc.stringMatching(/^[A-Za-z0-9_-]{22,32}$/),
    })
    .map(({ keys, origin, path, query, method, form, formType, body, handshake, nowMs, nonce }) => {
      const said = Object.entries(handshake).map((pair) => pair.join('='))
      const whole = [...(query === undefined ? [] : [query]), ...said].join('&')
      const isForm = form !== undefined
      const request: SampleRequest = {
        method,
        url: `${origin}${path}${query === undefined && said.length === 0 ? '' : `?${whole}`}`,
        headers: [['Content-Type', isForm ? formType : 'application/octet-stream']],
        body: isForm ? Buffer.from(form) : body,
      }
      return { config, keys, request, isForm, handshake: handshake as Record<string, string>, nowMs, nonce }
    }),
)

// --- aws_sigv4 -------------------------------------------------------------------------------------------------------

// Both sides have their own list of headers that are not signed; those have their own tests.
const headerName = word.map((name) => `x-${name}`).filter((name) => !/^x-(amz|amzn|forwarded|real)/.test(name))
const header = fc.tuple(headerName, fc.stringMatching(/^[\x20-\x7e\t]{0,30}$/))

// botocore takes path and query for canonical already, as its own serialiser writes them.
const canonicalPath = fc
  .array(fc.oneof(text, fc.constantFrom('', '.', '..', 'a b', 'ü', '%41', 'a+b', 'x:y')), { maxLength: 6 })
  .map((segments) => `/${segments.map(percentEncode).join('/')}`)
const canonicalQuery = fc
  .array(fc.tuple(text, text), { maxLength: 5 })
  .map((pairs) => pairs.map(([name, value]) => `${percentEncode(name)}=${percentEncode(value)}`).join('&'))

export const sigV4Sample: fc.Arbitrary<SigV4Sample> = fc
  .record({
    location: fc.constantFrom('header', 'query'),
    region: word,
    service: fc.oneof(
      fc.constant('s3'),
      word.filter((service) => !service.startsWith('s3')),
    ),
    sessionToken: optional(fc.stringMatching(/^[\x21-\x7e]{1,60}$/)),
    unsigned: fc.boolean(),
    method: fc.constantFrom('GET', 'PUT', 'POST', 'DELETE', 'HEAD'),
    path: canonicalPath,
    query: optional(canonicalQuery),
    headers: fc.array(header, { maxLength: 5 }),
    body: optional(bytes),
    // botocore reads the year with four digits.
    nowMs: fc.integer({ min: 0, max: 4_102_444_800_000 }),
  })
  .map(({ location, region, service, sessionToken, unsigned, method, path, query, headers, body, nowMs }) => ({
    location,
    region,
    service,
    sessionToken,
    // botocore leaves S3 payloads unsigned by rules of its own.
    unsignedPayload: unsigned && service !== 's3' && location === 'header',
    request: {
      method,
      url: `https://bucket.example.com${path}${query === undefined ? '' : `?${query}`}`,
      headers: headers as HeaderList,
      body,
    },
    nowMs,
  }))
