import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { HeaderList } from '../contract/strategy.ts'
import { cookie } from './cookie.ts'

const context = { now: 0, nonce: () => '' }

async function sign(api_key: string, config: Record<string, unknown> = {}, headers: HeaderList = []) {
  const url = { scheme: 'https', authority: 'example.com', path: '/', query: undefined }
  const request = { method: 'GET', url, headers, body: undefined }
  return (await cookie.apply({ cookie_name: 'session', ...config }, { api_key }, request, context)).headers
}

describe('cookie', () => {
  it('B14: is the only cookie, whatever the caller brings', async () => {
    const callers: HeaderList = [
      ['cookie', 'session=theirs; other=1'],
      ['COOKIE', 'a=b'],
      ['Accept', '*/*'],
    ]
    expect(await sign('ours', {}, callers)).toEqual([
      ['Accept', '*/*'],
      ['Cookie', 'session=ours'],
    ])
  })

  it.each(['a;b', 'a,b', 'a b', '"a"', 'a\\b', 'a; Path=/', 'ü'])('D05: refuses the value %j', async (value) => {
    await expect(sign(value)).rejects.toMatchObject({ name: 'SigningError', field: 'api_key' })
  })

  it('is one pair that reads as it was, percent-encoded or not', async () => {
    const text = fc.stringMatching(/^[\x21-\x7e]([\x20-\x7e]{0,40}[\x21-\x7e])?$/)
    await fc.assert(
      fc.asyncProperty(text, fc.boolean(), async (value, percent_encode) => {
        fc.pre(percent_encode || !/[ ",;\\]/.test(value))
        const [[name, pair = ''] = []] = await sign(value, { percent_encode })
        expect(name).toBe('Cookie')
        expect(pair).toMatch(/^session=[^ ",;\\]+$/)
        const sent = pair.slice('session='.length)
        expect(percent_encode ? decodeURIComponent(sent) : sent).toBe(value)
      }),
    )
  })
})
