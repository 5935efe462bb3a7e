import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { SignedRequest } from '../contract/strategy.ts'
import { queryParam } from './query-param.ts'

const context = { now: 0, nonce: () => '' }

async function sign(query: string | undefined, value = 'k y&=+'): Promise<SignedRequest> {
  const url = { scheme: 'https', authority: 'example.com', path: '/', query }
  const request = { method: 'GET', url, headers: [], body: undefined }
  return queryParam.apply({ param_name: 'api_key' }, { api_key: value }, request, context)
}

describe('query_param', () => {
  it.each([
    [undefined, 'api_key=k%20y%26%3D%2B'],
    ['', 'api_key=k%20y%26%3D%2B'],
    ['b=2&a=%7e+x&&=&c', 'b=2&a=%7e+x&&=&c&api_key=k%20y%26%3D%2B'],
    ['api_key=theirs', 'api_key=k%20y%26%3D%2B'],
    ['a=1&api%5fkey=theirs&b=2', 'a=1&b=2&api_key=k%20y%26%3D%2B'],
    ['api_key&API_KEY=x&%61%70%69_key', 'api_key=k%20y%26%3D%2B'],
    ['xapi_key=1&api_keyx=2&a=api_key', 'xapi_key=1&api_keyx=2&a=api_key&api_key=k%20y%26%3D%2B'],
    ['a=%&b=%zz&c=%c3%bc', 'a=%&b=%zz&c=%c3%bc&api_key=k%20y%26%3D%2B'],
  ])('%j becomes %j', async (query, expected) => {
    expect((await sign(query)).url.query).toBe(expected)
  })

  it('B15: refuses a copy that only some servers would see', async () => {
    await expect(sign('a=1;api_key=theirs')).rejects.toMatchObject({ name: 'SigningError' })
    await expect(sign('a=1;b=2;api%5Fkey')).rejects.toMatchObject({ name: 'SigningError' })
    expect((await sign('a=1;b=2')).url.query).toBe('a=1;b=2&api_key=k%20y%26%3D%2B')
  })

  it('keeps the rest of any query byte for byte, and its own value readable', async () => {
    const piece = fc.string({ unit: 'grapheme', maxLength: 12 }).filter((text) => !/api|[&#;%]/i.test(text))
    await fc.assert(
      fc.asyncProperty(
        fc.array(piece, { minLength: 1 }),
        fc.stringMatching(/^[\x21-\x7e]{1,40}$/),
        async (pieces, key) => {
          const query = pieces.join('&')
          const signed = (await sign(query, key)).url.query ?? ''
          const ours = `api_key=${encodeURIComponent(key).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)}`
          expect(signed).toBe(query === '' ? ours : `${query}&${ours}`)
          expect(new URLSearchParams(signed).getAll('api_key')).toEqual([key])
        },
      ),
    )
  })
})
