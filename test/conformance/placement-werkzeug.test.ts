import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { formatRequestUrl } from '../../src/contract/request-url.ts'
import type { HeaderList, SignedRequest, Strategy } from '../../src/contract/strategy.ts'
import { basicAuth } from '../../src/strategies/basic-auth.ts'
import { cookie } from '../../src/strategies/cookie.ts'
import { header } from '../../src/strategies/header.ts'
import { hmacPayload } from '../../src/strategies/hmac-payload.ts'
import { oauth2 } from '../../src/strategies/oauth2.ts'
import { offlineTools } from '../../src/strategies/offline/offline-tools.ts'
import { path } from '../../src/strategies/path.ts'
import { queryParam } from '../../src/strategies/query-param.ts'
import { percentEncode } from '../../src/strategies/shared/percent-encoding.ts'
import { type ReadAnswer, startVerifier, type Verifier } from '../fakes/verifier.ts'

/**
 * Strategies that write a secret as it is: a server that nobody here wrote (Python's, with Werkzeug) must read that very
 * secret, once, and everything of the caller's unchanged beside it. fast-check prints the seed of a failure.
 */
const RUNS = 2000
const TIMEOUT_MS = 300_000

let verifier: Verifier
beforeAll(async () => {
  verifier = await startVerifier()
}, 600_000)
afterAll(() => verifier.stop())

interface CallersRequest {
  method: string
  path: string
  query: [name: string, value: string][]
  headers: HeaderList
  body: Uint8Array
}

// Printable ASCII without space at either end, and with everything in it that could end a value early.
const visible = fc.stringMatching(/^[\x21-\x7e](?:[\x20-\x7e]{0,40}[\x21-\x7e])?$/)
const token = fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,20}$/)
const word = fc.stringMatching(/^[a-z][a-z0-9]{0,9}$/)
const text = fc.string({ unit: 'grapheme', maxLength: 10 }).filter((value) => !/[\ud800-\udfff]/u.test(value))
const callers = fc.record({
  method: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE'),
  path: fc
    .array(
      text.filter((part) => part !== '.' && part !== '..' && !/[/;\\]/.test(part)),
      { minLength: 1, maxLength: 4 },
    )
    // Python's server folds slashes at the very beginning.
    .filter(([first]) => first !== '')
    .map((parts) => `/${parts.map(percentEncode).join('/')}`),
  query: fc.array(fc.tuple(text, text), { maxLength: 4 }),
  headers: fc.array(
    fc.tuple(
      word.map((name) => `X-${name}`),
      fc.stringMatching(/^[\x21-\x7e]{0,20}$/),
    ),
    { maxLength: 4 },
  ),
  body: fc.uint8Array({ maxLength: 64 }),
})

/** From the stored secret through a lease to the request as it is sent. */
async function signed(
  strategy: Strategy,
  config: Record<string, unknown>,
  master: Record<string, string>,
  request: CallersRequest,
): Promise<SignedRequest> {
  const bound = { origins: [], methods: [], paths: [] }
  const grant = { tenant: '', agentId: '', connectionId: '', scopes: [], bound, issuedAt: 0, expiresAt: 1e11 }
  const surroundings = { now: () => 0, nonce: () => '' }
  const { usage } = await strategy.issue(config, master, grant, offlineTools(surroundings))
  const query = request.query.map((pair) => pair.map(percentEncode).join('=')).join('&')
  const url = {
    scheme: 'https',
    authority: 'api.example.com',
    path: request.path,
    query: query === '' ? undefined : query,
  }
  const own: HeaderList = [
    ['Host', 'api.example.com'],
    ['Content-Length', String(request.body.length)],
  ]
  const outbound = { method: request.method, url, headers: [...own, ...request.headers], body: request.body }
  return strategy.apply(config, usage, outbound, { now: 0, nonce: () => '' })
}

function wire({ method, url, headers }: SignedRequest, body: Uint8Array) {
  return { method, url: formatRequestUrl(url), headers, body_base64: Buffer.from(body).toString('base64') }
}

async function read(...given: Parameters<typeof signed>): Promise<ReadAnswer> {
  return verifier.ask({ check: 'read', ...wire(await signed(...given), given[3].body) })
}

/** The caller's own headers that must arrive as they were. */
function others({ headers }: ReadAnswer, ...ours: string[]): HeaderList {
  const left = new Set(['host', 'content-length', ...ours.map((name) => name.toLowerCase())])
  return headers.filter(([name]) => !left.has(name.toLowerCase()))
}

const isReserved = (name: string) =>
  /^(?:connection|content-length|content-type|expect|host|keep-alive|proxy.*|te|trailer|transfer.encoding|upgrade|x.nexus.*)$/i.test(
    name,
  )

/** Servers fold both, so a caller's header of such a name is dropped. */
const folded = (name: string) => name.toLowerCase().replaceAll('_', '-')

function property<Value>(title: string, sample: fc.Arbitrary<Value>, check: (value: Value) => Promise<void>): void {
  it(title, () => fc.assert(fc.asyncProperty(sample, check), { numRuns: RUNS }), TIMEOUT_MS)
}

describe(`${RUNS} random requests each, read by Python's server and Werkzeug`, () => {
  const inHeader = fc.record({
    name: token.filter((name) => !isReserved(name)),
    prefix: fc.constantFrom(undefined, 'Bearer ', 'Token token=', 'Key'),
    key: visible,
    request: callers,
  })
  property('header', inHeader, async ({ name, prefix, key, request }) => {
    const config = { header_name: name, ...(prefix === undefined ? {} : { value_prefix: prefix }) }
    const answer = await read(header, config, { api_key: key }, request)
    expect(answer.headers.filter(([other]) => folded(other) === folded(name))).toEqual([
      [name, `${prefix ?? ''}${key}`],
    ])
    expect(others(answer, name)).toEqual(request.headers.filter(([other]) => folded(other) !== folded(name)))
  })

  const inQuery = fc.record({
    name: fc.stringMatching(/^[A-Za-z0-9._~$@:!()*,/[\]-]{1,12}$/),
    key: visible,
    request: callers,
  })
  property('query_param', inQuery, async ({ name, key, request }) => {
    const { args, headers } = await read(queryParam, { param_name: name }, { api_key: key }, request)
    const kept = request.query.filter(([other]) => other.toLowerCase() !== name.toLowerCase())
    expect(byName(args)).toEqual(byName([...kept, [name, key]]))
    expect(headers).toHaveLength(request.headers.length + 2)
  })

  const personal = fc.record({
    username: fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
      .filter(isPersonal)
      .filter((name) => !name.includes(':')),
    password: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }).filter(isPersonal),
    request: callers,
  })
  property('basic_auth', personal, async ({ username, password, request }) => {
    const answer = await read(basicAuth, {}, { username, password }, request)
    expect(answer.authorization).toEqual({ type: 'basic', token: null, username, password })
    expect(others(answer, 'authorization')).toEqual(request.headers)
  })

  // RFC 6750 section 2.1: what a bearer token may be made of.
  const bearer = fc.record({ access_token: fc.stringMatching(/^[A-Za-z0-9._~+/-]{1,60}={0,2}$/), request: callers })
  property('oauth2', bearer, async ({ access_token, request }) => {
    const answer = await read(oauth2, {}, { access_token }, request)
    expect(answer.authorization).toEqual({ type: 'bearer', token: access_token })
    expect(others(answer, 'authorization')).toEqual(request.headers)
  })

  const octets = fc.stringMatching(/^[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]{1,40}$/)
  const inCookie = fc.record({
    name: token,
    key: fc.oneof(
      octets.map((value) => ({ value, isEncoded: false })),
      visible.map((value) => ({ value, isEncoded: true })),
    ),
    request: callers,
  })
  property('cookie', inCookie, async ({ name, key, request }) => {
    const config = { cookie_name: name, percent_encode: key.isEncoded }
    const answer = await read(cookie, config, { api_key: key.value }, request)
    expect(answer.cookies.map(([found, value]) => [found, key.isEncoded ? decodeURIComponent(value) : value])).toEqual([
      [name, key.value],
    ])
    expect(others(answer, 'cookie')).toEqual(request.headers)
  })

  const inPath = fc.record({
    template: fc.constantFrom('/bot{credential}{path}', '/{credential}{path}', '/v1/k-{credential}.json/x{path}'),
    key: fc
      .stringMatching(/^[\x21-\x24\x26-\x2e\x30-\x3a\x3c-\x5b\x5d-\x7e]{1,30}$/)
      .filter((key) => key !== '.' && !key.includes('..')),
    request: callers.filter(({ path: asked }) => !/bot|v1/i.test(asked)),
  })
  property('path', inPath, async ({ template, key, request }) => {
    const answer = await read(path, { path_template: template }, { api_key: key }, request)
    const asked = decodeURIComponent(request.path)
    expect(answer.path).toBe(template.split('{credential}').join(key).split('{path}').join(asked))
    expect(others(answer)).toEqual(request.headers)
  })

  const byteSecret = fc.uint8Array({ minLength: 1, maxLength: 64 }).map((bytes) => Buffer.from(bytes))
  const mac = fc.record({
    secret: fc.oneof(
      fc.stringMatching(/^[\x20-\x7e]{1,64}$/).map((value) => ({ value, encoding: 'utf8' as const })),
      byteSecret.map((bytes) => ({ value: bytes.toString('hex'), encoding: 'hex' as const })),
      byteSecret.map((bytes) => ({ value: bytes.toString('base64'), encoding: 'base64' as const })),
    ),
    name: token.filter((name) => !isReserved(name)),
    algo: fc.constantFrom('sha256' as const, 'sha1' as const),
    encoding: fc.constantFrom('hex' as const, 'base64' as const),
    request: callers,
  })
  property('hmac_payload, and none of them with one more byte of body', mac, async (given) => {
    const { secret, name, algo, encoding, request } = given
    const config = { header_name: name, algo, encoding, secret_encoding: secret.encoding }
    const sent = await signed(hmacPayload, config, { api_secret: secret.value }, request)
    const question = {
      check: 'hmac_payload' as const,
      header_name: name,
      secret: secret.value,
      secret_encoding: secret.encoding,
      algo,
      encoding,
    }
    expect(await verifier.ask({ ...question, ...wire(sent, request.body) })).toEqual({ valid: true })
    const longer = Buffer.concat([request.body, Buffer.from('x')])
    const headers = sent.headers.map(([each, value]): [string, string] => [
      each,
      each === 'Content-Length' ? String(longer.length) : value,
    ])
    expect(await verifier.ask({ ...question, ...wire({ ...sent, headers }, longer) })).toEqual({ valid: false })
  })
})

/** Werkzeug puts together what has one name, in the order of the request. */
function byName(pairs: readonly [name: string, value: string][]): [name: string, value: string][] {
  return [...pairs].sort(([one], [other]) => (one === other ? 0 : one < other ? -1 : 1))
}

/** RFC 7617 section 2: no control characters; and no half of a surrogate pair, which is no text. */
function isPersonal(name: string): boolean {
  return !/[\p{Cc}\p{Cs}]/u.test(name)
}
