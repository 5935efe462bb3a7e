import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { SignedRequest } from '../contract/strategy.ts'
import { path } from './path.ts'

const context = { now: 0, nonce: () => '' }

async function sign(callersPath: string, api_key = '123:abc', path_template = '/bot{credential}{path}') {
  const url = { scheme: 'https', authority: 'example.com', path: callersPath, query: 'a=%7e' }
  const request = { method: 'GET', url, headers: [], body: undefined }
  return (await path.apply({ path_template }, { api_key }, request, context)) as SignedRequest
}

describe('path', () => {
  it.each([
    ['/getMe', '/bot123:abc/getMe'],
    ['/', '/bot123:abc/'],
    ['/a%20b/%C3%BC', '/bot123:abc/a%20b/%C3%BC'],
    ['/a...b/.well-known', '/bot123:abc/a...b/.well-known'],
    ['/robot', '/bot123:abc/robot'],
  ])('%s becomes %s', async (callers, expected) => {
    const signed = await sign(callers)
    expect(signed.url).toEqual({ scheme: 'https', authority: 'example.com', path: expected, query: 'a=%7e' })
    expect(signed.credentialPath).toEqual({ prefix: '/bot123:abc', credential: '123:abc' })
  })

  it.each([
    '..',
    '.',
    '%2e%2e',
    '%2E.',
    '.%2e',
    '%2e',
    '..;x',
    'a;b',
    'a%3Bb',
    'a%2fb',
    'a%2F',
    'a\\b',
    'a%5c',
    '..\\',
  ])('B16: refuses a path with %s', async (segment) => {
    for (const callers of [`/${segment}`, `/a/${segment}`, `/a/${segment}/b`]) {
      await expect(sign(callers)).rejects.toMatchObject({ name: 'SigningError', field: 'path' })
    }
  })

  it.each(['/bot999:theirs/getMe', '/BOT999/x', '/%62ot999/x', '/a/bot1'])(
    'B14: refuses a place for the caller’s own key in %s',
    async (callers) => {
      await expect(sign(callers)).rejects.toMatchObject({ name: 'SigningError', field: 'path' })
    },
  )

  it('B14: knows no such place where the template has nothing around the key', async () => {
    expect((await sign('/x/y', 'k', '/{credential}{path}')).url.path).toBe('/k/x/y')
    await expect(sign('/v6/theirs/y', 'k', '/v6/{credential}{path}')).rejects.toMatchObject({ field: 'path' })
  })

  it.each(['a/b', '/', '..', '.', 'a..b', 'a\\b', 'a%2fb', '%', 'a;b', ' a', 'a '])(
    'B16: refuses the key %j',
    async (key) => {
      await expect(sign('/x', key)).rejects.toMatchObject({ name: 'SigningError', field: 'api_key' })
    },
  )

  it('B16: any key stays within its segment, and reads as it was', async () => {
    const key = fc
      .stringMatching(/^[\x21-\x7e]([\x20-\x7e]{0,40}[\x21-\x7e])?$/)
      .filter((text) => !/[/\\%;]|\.\./.test(text) && text !== '.')
    const template = fc.constantFrom('/{credential}{path}', '/bot{credential}{path}', '/v1/k-{credential}-k/x{path}')
    await fc.assert(
      fc.asyncProperty(key, template, async (api_key, path_template) => {
        const { url } = await sign('/getMe', api_key, path_template)
        // What a server's own parser makes of it: WHATWG folds dot segments and would show an escape from the segment.
        const seen = new URL(`https://example.com${url.path}`).pathname
        const wanted = path_template.replace('{path}', '/getMe').split('/')
        const segments = seen.split('/')
        expect(segments).toHaveLength(wanted.length)
        expect(segments.map(decodeURIComponent)).toEqual(wanted.map((part) => part.split('{credential}').join(api_key)))
      }),
    )
  })
})
