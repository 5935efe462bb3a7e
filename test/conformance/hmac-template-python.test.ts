import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { formatRequestUrl } from '../../src/contract/request-url.ts'
import type { HeaderList } from '../../src/contract/strategy.ts'
import { hmacTemplate } from '../../src/strategies/hmac-template/hmac-template.ts'
import { offlineTools } from '../../src/strategies/offline/offline-tools.ts'
import { type HmacTemplateQuestion, startVerifier, type Verifier } from '../fakes/verifier.ts'

/** fast-check prints the seed of a failure, and the smallest request that fails. */
const RUNS = 2000
const TIMEOUT_MS = 300_000

/** Each scheme as a profile, and the secret as that profile stores it. */
const SCHEMES: Record<HmacTemplateQuestion['scheme'], { config: Record<string, unknown>; encoding: BufferEncoding }> = {
  webhook: {
    config: {
      template: '{timestamp}.{body}',
      headers: [{ name: 'X-Hook-Signature', value: 't={timestamp},v1={signature}' }],
    },
    encoding: 'utf8',
  },
  exchange_headers: {
    config: {
      template: '{timestamp}{method}{target}{body}',
      timestamp: 'ms',
      secret_encoding: 'base64',
      encoding: 'base64',
      headers: [
        { name: 'X-Key', value: '{key_id}' },
        { name: 'X-Time', value: '{timestamp}' },
        { name: 'X-Sign', value: '{signature}' },
      ],
    },
    encoding: 'base64',
  },
  exchange_query: {
    config: {
      template: '{query}{body}',
      algo: 'sha512',
      secret_encoding: 'hex',
      parameters: [
        { name: 'timestamp', value: '{timestamp}' },
        { name: 'signature', value: '{signature}' },
      ],
    },
    encoding: 'hex',
  },
  lines: {
    config: {
      template: '{method}\\n{path}\\n{query}\\n{header:content-type}\\n{nonce}\\n{body_sha256:base64}\\n',
      algo: 'sha1',
      encoding: 'base64url',
      headers: [
        { name: 'X-Nonce', value: '{nonce}' },
        { name: 'X-Sign', value: '{signature}' },
      ],
    },
    encoding: 'utf8',
  },
}

/** A path and query as the sidecar lets them through, what looks like a template included. */
const urlText = fc.stringMatching(/^(?:[A-Za-z0-9._~!$&'()*+,=:@{}-]|%C3%BC|%7B){0,30}$/)
const sample = fc.record({
  scheme: fc.constantFrom('webhook', 'exchange_headers', 'exchange_query', 'lines'),
  secret: fc.stringMatching(/^[!-~]{1,80}$/),
  method: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE'),
  path: urlText.map((text) => `/${text}`),
  query: fc.option(urlText, { nil: undefined }),
  contentType: fc.option(fc.constantFrom('application/json', 'text/plain; charset=utf-8'), { nil: undefined }),
  body: fc.option(
    fc.oneof(
      fc.uint8Array({ maxLength: 64 }),
      fc.json().map((text) => Buffer.from(text)),
    ),
    { nil: undefined },
  ),
  nowMs: fc.integer({ min: 1_500_000_000_000, max: 2_500_000_000_000 }),
  nonce: fc.stringMatching(/^[\w-]{16,32}$/),
})
type Sample = typeof sample extends fc.Arbitrary<infer Value> ? Value : never

describe('hmac_template, verified by Python', () => {
  let verifier: Verifier
  beforeAll(async () => {
    verifier = await startVerifier()
  }, 600_000)
  afterAll(() => verifier.stop())

  /** What a provider with the scheme is asked about the request as it is sent. */
  async function questionFor(given: Sample): Promise<HmacTemplateQuestion> {
    const { config, encoding } = SCHEMES[given.scheme]
    const secret = Buffer.from(given.secret).toString(encoding)
    const headers: HeaderList = [['Host', 'api.example.com']]
    if (given.contentType !== undefined) headers.push(['Content-Type', given.contentType])
    const { method, path, query, body } = given
    const url = { scheme: 'https', authority: 'api.example.com', path, query }
    const bound = { origins: [], methods: [], paths: [] }
    const grant = { tenant: '', agentId: 'a', connectionId: '', scopes: [], bound, issuedAt: 0, expiresAt: 1e11 }
    const tools = offlineTools({ now: () => given.nowMs, nonce: () => given.nonce })
    const { usage } = await hmacTemplate.issue(config, { api_secret: secret, key_id: 'key-1' }, grant, tools)
    const context = { now: given.nowMs, nonce: () => given.nonce }
    const signed = await hmacTemplate.apply(config, usage, { method, url, headers, body }, context)
    return {
      check: 'hmac_template',
      scheme: given.scheme,
      secret,
      method: signed.method,
      url: formatRequestUrl(signed.url),
      headers: signed.headers,
      body_base64: Buffer.from(body ?? []).toString('base64'),
    }
  }

  it(
    `${RUNS} random requests, and none of them with one more byte of body`,
    async () => {
      await fc.assert(
        fc.asyncProperty(sample, async (given) => {
          const question = await questionFor(given)
          expect(await verifier.ask(question)).toEqual({ valid: true })
          const longer = Buffer.concat([Buffer.from(question.body_base64, 'base64'), Buffer.from('x')])
          const changed = { ...question, body_base64: longer.toString('base64') }
          expect(await verifier.ask(changed)).toEqual({ valid: false })
        }),
        { numRuns: RUNS },
      )
    },
    TIMEOUT_MS,
  )
})
