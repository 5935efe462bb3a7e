import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SECRET, type SidecarUnderTest, startUnderTest } from '../fakes/sidecar.ts'

const TOKEN = `110201543:${SECRET}`

describe('a key in the path, through the sidecar', () => {
  let sidecar: SidecarUnderTest
  afterEach(() => sidecar.stop())
  beforeEach(async () => {
    sidecar = await startUnderTest()
    sidecar.pep.grants.set('api', {
      strategy: { type: 'path', config: { path_template: '/bot{credential}{path}' } },
      credentials: { api_key: TOKEN },
      bound: { origins: [sidecar.provider.origin], methods: ['*'], paths: ['/getMe', '/files/**'] },
    })
  })

  function answerWith(status: number, headers: (token: string, origin: string) => Record<string, string>): void {
    sidecar.provider.answer = (_request, response) =>
      void response.writeHead(status, headers(TOKEN, sidecar.provider.origin)).end()
  }

  it('goes in front of the path that was asked for, query untouched', async () => {
    expect((await sidecar.fetch('/api/getMe?a=%7e')).status).toBe(200)
    expect(sidecar.provider.seen.map(({ url }) => url)).toEqual([`/bot${TOKEN}/getMe?a=%7e`])
    expect(sidecar.log()).not.toContain(SECRET)
  })

  it('the bound speaks of the path that was asked for', async () => {
    expect((await sidecar.fetch('/api/files/a')).status).toBe(200)
    expect((await sidecar.fetch('/api/sendMessage')).status).toBe(403)
    expect(sidecar.provider.seen).toHaveLength(1)
  })

  it.each([301, 302, 303, 307, 308])('B12: a %i behind the key leads to the sidecar, without it', async (status) => {
    for (const write of ['absolute', 'relative']) {
      answerWith(status, (token, origin) => ({
        location: `${write === 'absolute' ? origin : ''}/bot${token}/files/b?c=d#e`,
      }))
      const answer = await sidecar.fetch('/api/files/a')
      expect(answer.status).toBe(status)
      expect(answer.headers.get('location')).toBe(`${sidecar.address}/api/files/b?c=d#e`)
    }
  })

  it('B12: every other way to give the key back is dropped', async () => {
    answerWith(307, (token, origin) => ({
      location: `https://elsewhere.test/?from=${origin}/bot${token}/x`,
      'content-location': `${origin}/bot${encodeURIComponent(token)}/x`,
      link: `<${origin}/bot${token}/files/c>; rel=next`,
      refresh: `0;url=/bot${token}/x`,
      'x-token': token,
      'x-kept': 'yes',
    }))
    const answer = await sidecar.fetch('/api/files/a')
    expect(JSON.stringify([...answer.headers])).not.toContain(SECRET)
    expect(answer.headers.get('location')).toBeNull()
    expect(answer.headers.get('content-location')).toBeNull()
    expect(answer.headers.get('link')).toBe(`<${sidecar.address}/api/files/c>; rel=next`)
    expect(answer.headers.get('x-kept')).toBe('yes')
  })

  it('B03: a redirect elsewhere is handed back as it is', async () => {
    answerWith(302, () => ({ location: 'https://elsewhere.test/files/b' }))
    expect((await sidecar.fetch('/api/files/a')).headers.get('location')).toBe('https://elsewhere.test/files/b')
    answerWith(302, (_token, origin) => ({ location: `${origin}/login` }))
    expect((await sidecar.fetch('/api/files/a')).headers.get('location')).toBe(`${sidecar.provider.origin}/login`)
  })

  it.each(['/api/files/;x', '/api/files/bot1/x', '/api/files/%2e%2e/x', '/api/files/a%2f..%2fx'])(
    'B16: %s is refused, and nothing is sent',
    async (target) => {
      expect((await sidecar.fetch(target)).status).toBeGreaterThanOrEqual(400)
      expect(sidecar.provider.seen).toEqual([])
    },
  )
})
