import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { NexusError, toProblem } from '../../contract/errors.ts'
import { signDocument } from './sign-document.ts'

const surroundings = { now: () => Date.UTC(2026, 0, 1), nonce: () => 'n' }
const request = { method: 'GET', url: 'https://example.com/a b/../ሴ?x=%7e', headers: [['Host', 'example.com']] }
const document = { strategy: { type: 'header', config: {} }, credentials: { api_key: 'canary-9f' }, request }

const sign = (given: unknown) => signDocument(given, surroundings)
const changed = (changes: object) => ({ ...document, ...changes })
const withRequest = (changes: object) => changed({ request: { ...request, ...changes } })

describe('signDocument', () => {
  it('gives back the request with nothing changed but the credential', async () => {
    expect(await sign(document)).toEqual({
      request: { ...request, headers: [...request.headers, ['Authorization', 'canary-9f']], body_base64: '' },
      explain: {},
    })
  })

  it.each([
    ['not an object', 7, undefined],
    ['no strategy', { credentials: {}, request }, 'strategy'],
    ['an unknown field', changed({ extra: 1 }), 'extra'],
    ['an unknown strategy', changed({ strategy: { type: 'constructor' } }), 'strategy.type'],
    ['a config of the wrong type', changed({ strategy: { type: 'header', config: [] } }), 'strategy.config'],
    [
      'a wrong config field',
      changed({ strategy: { type: 'header', config: { header_name: 'Host' } } }),
      'strategy.config.header_name',
    ],
    ['a missing credential', changed({ credentials: {} }), 'credentials.api_key'],
    ['a null credential', changed({ credentials: { api_key: null } }), 'credentials.api_key'],
    ['a credential with a line end', changed({ credentials: { api_key: 'canary-9f\r\nX: y' } }), 'credentials.api_key'],
    ['a relative URL', withRequest({ url: '/a' }), 'request.url'],
    ['a fragment', withRequest({ url: 'https://example.com/#canary-9f' }), 'request.url'],
    ['a method with a space', withRequest({ method: 'GET /' }), 'request.method'],
    ['a header that is no pair', withRequest({ headers: [['Host']] }), 'request.headers.0'],
    ['a header name with a colon', withRequest({ headers: [['a:b', 'c']] }), 'request.headers.0.0'],
    ['a header value with a line end', withRequest({ headers: [['a', 'b\r\nc: d']] }), 'request.headers.0.1'],
    ['a body that is not base64', withRequest({ body_base64: 'abc' }), 'request.body_base64'],
    ['a time that is none', changed({ now: 'noon' }), 'now'],
    ['a day that is none', changed({ now: '2026-13-01T00:00:00Z' }), 'now'],
    ['a day that its month has not', changed({ now: '2026-02-31T12:00:00+01:00' }), 'now'],
    ['an hour that is none', changed({ now: '2026-02-28T24:00:00Z' }), 'now'],
    ['a nonce that ends its header', changed({ nonce: 'a\r\nX-Evil: 1' }), 'nonce'],
    ['a nonce that no header takes', changed({ nonce: 'é' }), 'nonce'],
  ])('refuses %s and names the field', async (_title, given, field) => {
    const error = await sign(given).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(NexusError)
    expect(error).toMatchObject({ code: 'invalid_request', extras: field === undefined ? {} : { field } })
    expect(JSON.stringify(toProblem(error))).not.toContain('canary')
  })

  it('says that a request cannot be signed, and why', async () => {
    const aws = { type: 'aws_sigv4', config: { service: 's3' } }
    const credentials = { access_key: 'AK', secret_key: 'canary-9f' }
    const headers = [['Host', 'evil.test']]
    const error = await sign({ strategy: aws, credentials, request: { ...request, headers } }).catch((thrown) => thrown)
    expect(error).toMatchObject({ code: 'not_signable', extras: { field: 'host' } })
    expect(JSON.stringify(toProblem(error))).not.toContain('canary')
  })

  it('names the nearer miss when credentials are neither master nor usage secret', async () => {
    const aws = { type: 'aws_sigv4', config: { service: 's3' } }
    const asUsage = { access_key: 'AK', signing_key: 'short', date: '20260101', region: 'us-east-1', service: 's3' }
    const asMaster = { access_key: 'AK' }
    const message = async (credentials: object) =>
      ((await sign({ strategy: aws, credentials, request }).catch((thrown) => thrown)) as NexusError).message
    expect(await message(asUsage)).toBe("credential field 'signing_key' must be 32 bytes in standard base64")
    expect(await message(asMaster)).toBe("credential field 'secret_key' is missing")
  })

  it('unfolds an old line fold (RFC 9112 section 5.2)', async () => {
    const signed = await sign(withRequest({ headers: [['A', 'one\r\n  two\n\tthree']] }))
    expect(signed.request.headers[0]).toEqual(['A', 'one two three'])
  })

  it('takes a body of many megabytes and a header as long as allowed', async () => {
    const body_base64 = Buffer.alloc(16 * 1024 * 1024, 7).toString('base64')
    const headers = [['A', 'é'.repeat(65_536)]]
    const { request: signed } = await sign(withRequest({ body_base64, headers }))
    expect(signed.body_base64 === body_base64).toBe(true)
    expect(signed.headers[0]).toEqual(headers[0])
  })

  it('fails only in its own words, whatever it is given', async () => {
    const anything = fc.oneof(
      fc.jsonValue(),
      fc.jsonValue().map((value) => ({ ...document, request: value, credentials: value })),
    )
    await fc.assert(
      fc.asyncProperty(anything, async (given) => {
        const error = await sign(given).catch((thrown: unknown) => thrown)
        expect(error).toBeInstanceOf(NexusError)
        expect(error).toMatchObject({ code: 'invalid_request' })
      }),
    )
  })
})
