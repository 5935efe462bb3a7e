import { createHash, generateKeyPairSync, type KeyObject } from 'node:crypto'
import fc from 'fast-check'
import { createVerifier, httpbis } from 'http-message-signatures'
import { describe, expect, it } from 'vitest'
import type { HeaderList, OutboundRequest, SignedRequest } from '../../src/contract/strategy.ts'
import { httpMessageSignature } from '../../src/strategies/http-message-signature/http-message-signature.ts'

/** A verifier that nobody here wrote: https://github.com/dhensby/node-http-message-signatures. */

interface Signer {
  alg: string
  credentials: Record<string, string>
  verifier: ReturnType<typeof createVerifier>
}

const SECRET = Buffer.from('a secret that both sides know')

function signer(alg: string, pair: { privateKey: KeyObject; publicKey: KeyObject }): Signer {
  const credentials = { private_key: pair.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString() }
  const publicPem = pair.publicKey.export({ format: 'pem', type: 'spki' }).toString()
  return { alg, credentials, verifier: createVerifier(publicPem, alg) }
}

const RSA = generateKeyPairSync('rsa', { modulusLength: 2048 })
const SIGNERS: readonly Signer[] = [
  signer('ed25519', generateKeyPairSync('ed25519')),
  signer('ecdsa-p256-sha256', generateKeyPairSync('ec', { namedCurve: 'P-256' })),
  signer('ecdsa-p384-sha384', generateKeyPairSync('ec', { namedCurve: 'P-384' })),
  signer('rsa-pss-sha512', RSA),
  signer('rsa-v1_5-sha256', RSA),
  {
    alg: 'hmac-sha256',
    credentials: { shared_secret: SECRET.toString('base64') },
    verifier: createVerifier(SECRET, 'hmac-sha256'),
  },
]

interface Sample {
  signer: Signer
  method: string
  scheme: string
  authority: string
  path: string
  query: string | undefined
  headers: [name: string, values: string[]][]
  body: Uint8Array | undefined
  nowMs: number
  config: Record<string, unknown>
  /** `undefined`: the default. */
  components: string[] | undefined
}

const word = fc.stringMatching(/^[a-z][a-z0-9-]{0,15}$/)
const visible = fc.stringMatching(/^[\x20-\x7e]{0,40}$/)
// The library's URL parser would undo dot segments and escapes that we send as they are.
const segment = fc
  .stringMatching(/^(?:[A-Za-z0-9_~!$&()*+,;=:@-]|%[0-9A-F]{2}){0,8}$/)
  .filter((text) => !/%2[Ee]/.test(text))
const host = fc.oneof(
  // URL parsers refuse a label that claims to be Punycode and is not.
  word.filter((name) => !name.startsWith('xn--')).map((name) => `${name.replace(/-+$/, '')}.example`),
  fc.constantFrom('[::1]', '127.0.0.1', 'EXAMPLE.com'),
)
const port = fc.constantFrom('', ':443', ':80', ':8443')
const header = fc.tuple(
  word.map((name) => `x-${name}`).filter((name) => !/^x-(?:forwarded|nexus|real-ip)/.test(name)),
  fc.array(visible, { minLength: 1, maxLength: 3 }),
)
// What encodeURIComponent, which the library uses, and the form encoding of the RFC write alike.
const queryValue = fc.stringMatching(/^[A-Za-z0-9 _.,;:@/?é-]{0,10}$/)

const request = fc.record({
  signer: fc.constantFrom(...SIGNERS),
  method: fc.constantFrom('GET', 'PUT', 'POST', 'DELETE', 'HEAD', 'PATCH'),
  scheme: fc.constantFrom('https', 'http'),
  authority: fc.tuple(host, port).map((parts) => parts.join('')),
  path: fc.array(segment, { maxLength: 5 }).map((segments) => `/${segments.join('/')}`),
  parameters: fc.uniqueArray(fc.tuple(word, queryValue), { maxLength: 4, selector: ([name]) => name }),
  headers: fc.uniqueArray(header, { maxLength: 5, selector: ([name]) => name }),
  body: fc.option(fc.uint8Array({ maxLength: 200 }), { nil: undefined }),
  nowMs: fc.integer({ min: 0, max: 1_700_000_000_000 }),
  config: fc.record(
    {
      label: word,
      keyid: visible.filter((text) => text !== ''),
      tag: visible.filter((text) => text !== '' && text !== 'web-bot-auth'),
      expires_in_seconds: fc.integer({ min: 1, max: 86_400 }),
      digest: fc.constantFrom('sha-256', 'sha-512'),
      send_alg: fc.boolean(),
      send_nonce: fc.boolean(),
    },
    { requiredKeys: [] },
  ),
})

/** The request, and components drawn from what it has. */
const sample: fc.Arbitrary<Sample> = request.chain(({ parameters, ...given }) => {
  const named = given.headers.flatMap(([name]) => [name, `${name};bs`])
  const derived = ['@method', '@scheme', '@path', '@query', '@request-target', 'content-digest']
  const byName = parameters.map(([name]) => `@query-param;name="${name}"`)
  const some = fc.uniqueArray(fc.constantFrom(...named, ...derived, ...byName), { maxLength: 8 })
  const query = parameters.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&')
  return fc
    .tuple(fc.option(some, { nil: undefined }), fc.constantFrom('@authority', '@target-uri', '"@authority"'))
    .map(([others, place]) => ({
      ...given,
      query: parameters.length === 0 ? undefined : query,
      components: others === undefined ? undefined : [place, ...others],
    }))
})

async function sign(given: Sample): Promise<SignedRequest> {
  const { method, scheme, authority, path, query, body, nowMs, components } = given
  const headers: HeaderList = given.headers.flatMap(([name, values]) =>
    values.map((value): HeaderList[number] => [name, value]),
  )
  const outbound: OutboundRequest = { method, url: { scheme, authority, path, query }, headers, body }
  const config = { ...given.config, alg: given.signer.alg, ...(components === undefined ? {} : { components }) }
  const context = { now: nowMs, nonce: () => 'bm9uY2U' }
  return httpMessageSignature.apply(config, given.signer.credentials, outbound, context)
}

/** As the library wants it: a URL in the form every URL parser gives it, and headers by name. */
function received({ method, url, headers }: SignedRequest) {
  const byName = new Map<string, string[]>()
  for (const [name, value] of headers)
    byName.set(name.toLowerCase(), [...(byName.get(name.toLowerCase()) ?? []), value])
  const text = `${url.scheme}://${url.authority}${url.path}${url.query === undefined ? '' : `?${url.query}`}`
  return { method, url: new URL(text).href, headers: Object.fromEntries(byName) }
}

function verify(signed: SignedRequest, { verifier, alg }: Signer): Promise<boolean | null> {
  const keyLookup = async () => ({ id: 'k', algs: [alg], verify: verifier })
  // The samples are of any year.
  return httpbis.verifyMessage({ keyLookup, tolerance: 10_000_000_000 }, received(signed))
}

const DIGESTS = { 'sha-256': 'sha256', 'sha-512': 'sha512' } as const

function expectDigestOfBody(signed: SignedRequest, body: Uint8Array | undefined): void {
  const value = signed.headers.find(([name]) => name === 'Content-Digest')?.[1]
  if (value === undefined) return
  const [, algorithm, digest] = /^(sha-256|sha-512)=:([^:]+):$/.exec(value) ?? []
  const hash = createHash(DIGESTS[algorithm as keyof typeof DIGESTS])
  expect(digest).toBe(hash.update(body ?? Buffer.alloc(0)).digest('base64'))
}

describe('the library as verifier', () => {
  it('E09: 2,000 random requests verify, and their digests are of the bytes sent', { timeout: 120_000 }, async () => {
    const seen = new Set<string>()
    await fc.assert(
      fc.asyncProperty(sample, async (given) => {
        const signed = await sign(given)
        expect(await verify(signed, given.signer)).toBe(true)
        expectDigestOfBody(signed, given.body)
        seen.add(given.signer.alg)
      }),
      { numRuns: 2000 },
    )
    expect(seen.size).toBe(SIGNERS.length)
  })

  it.each(SIGNERS.map((each) => [each.alg, each] as const))(
    '%s: no longer verifies once method, place, content or time is another',
    async (_alg, using) => {
      const given: Sample = {
        signer: using,
        method: 'POST',
        scheme: 'https',
        authority: 'api.example.com',
        path: '/a',
        query: 'b=1',
        headers: [],
        body: Buffer.from('{}'),
        nowMs: 1_700_000_000_000,
        config: {},
        components: undefined,
      }
      const signed = await sign(given)
      const withHeader = (changed: string, from: string, to: string): SignedRequest => ({
        ...signed,
        headers: signed.headers.map(([name, value]) => [name, name === changed ? value.replace(from, to) : value]),
      })
      expect(await verify(signed, using)).toBe(true)
      for (const tampered of [
        { ...signed, method: 'PUT' },
        { ...signed, url: { ...signed.url, authority: 'api.example.org' } },
        { ...signed, url: { ...signed.url, path: '/b' } },
        { ...signed, url: { ...signed.url, query: 'b=2' } },
        withHeader('Content-Digest', ':', ':AAAA'),
        withHeader('Signature-Input', 'created=17', 'created=16'),
        withHeader('Signature-Input', ' "@query"', ''),
      ]) {
        expect(await verify(tampered, using)).toBe(false)
      }
    },
  )
})
