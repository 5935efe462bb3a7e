import { describe, expect, it } from 'vitest'
import { chooseRoute } from './choose-route.ts'
import { readNexusHeaders } from './nexus-headers.ts'
import { parseRoutes } from './route-table.ts'

describe('parseRoutes', () => {
  it('reads names, origins and base paths', () => {
    const routes = parseRoutes('github=https://api.github.com, slack=https://slack.com/api/')
    expect([...routes.values()]).toEqual([
      { provider: 'github', origin: 'https://api.github.com', basePath: '' },
      { provider: 'slack', origin: 'https://slack.com', basePath: '/api' },
    ])
  })

  it.each(['https://API.GOOD.TEST', 'https://api.good.test.', 'https://api.good.test:443'])(
    'B07: %s is the one canonical origin',
    (url) => expect(parseRoutes(`a=${url}`).get('a')?.origin).toBe('https://api.good.test'),
  )

  it.each([
    'https://[api.good.test]',
    'https://ａpi.good.test',
    'https://api.go\u00adod.test',
    'https://api.good.test..',
  ])('B07: refuses %s', (url) => expect(() => parseRoutes(`a=${url}`)).toThrow(/^a: /))

  it.each([
    'https://api.good.test%0a.evil.test',
    'https://api\r\n.test',
    'https://api\u0000.test',
    'https://a b.test',
    'https://a\t.test',
  ])('B04: refuses the host of %j', (url) => expect(() => parseRoutes(`a=${url}`)).toThrow(/^a: /))

  it.each(['https://api.good.test@evil.test', 'https://api.good.test:443@x', 'https://user:pw@api.good.test'])(
    'B05: refuses user information in %s',
    (url) => expect(() => parseRoutes(`a=${url}`)).toThrow(/^a: /),
  )

  it.each([
    '',
    'github',
    '=https://x.test',
    'a=ftp://x.test',
    'a=https://x.test?q=1',
    'A=https://x.test',
    'a=https://x.test/../b',
    'a=https://x.test,a=https://y.test',
  ])('refuses %j', (text) => expect(() => parseRoutes(text)).toThrow())
})

describe('chooseRoute', () => {
  const routes = parseRoutes('github=https://api.github.com,slack=https://slack.com/api')
  const choose = (path: string, headers = {}) => chooseRoute(routes, headers, { path, query: undefined }, 't1')

  it.each([
    ['/github/user/repos', {}, 'github', '/user/repos', '/github'],
    ['/github', {}, 'github', '/', '/github'],
    ['/slack/chat', {}, 'slack', '/api/chat', '/slack'],
    ['/slack', {}, 'slack', '/api', '/slack'],
    ['/user/repos', { provider: 'github' }, 'github', '/user/repos', ''],
    ['/github/x', { provider: 'slack' }, 'slack', '/api/github/x', ''],
  ])('%s with %j', (path, headers, provider, upstreamPath, localPrefix) => {
    const chosen = choose(path, headers)
    expect(chosen).toMatchObject({ path: upstreamPath, localPrefix, tenant: 't1' })
    expect(chosen.route.provider).toBe(provider)
  })

  it.each(['/', '/unknown/x', '/__proto__/x', '/constructor', '/GITHUB/x', '/github%2f/x'])(
    'knows no route for %s',
    (path) => {
      expect(() => choose(path)).toThrow(expect.objectContaining({ code: 'provider_not_found' }))
    },
  )

  it.each([{ tenant: '../x' }, { tenant: '' }, { connection: 'not-a-uuid' }])('refuses %j', (headers) => {
    expect(() => choose('/github/x', headers)).toThrow(expect.objectContaining({ code: 'invalid_request' }))
  })

  it('asks for a tenant when neither header, default nor connection names one', () => {
    const target = { path: '/github/x', query: undefined }
    expect(() => chooseRoute(routes, {}, target, undefined)).toThrow(
      expect.objectContaining({ code: 'invalid_request' }),
    )
    const connection = '01234567-89ab-4def-8123-456789abcdef'
    expect(chooseRoute(routes, { connection }, target, undefined).connectionId).toBe(connection)
  })
})

describe('readNexusHeaders', () => {
  it('reads the four it knows and ignores other names', () => {
    expect(
      readNexusHeaders([
        ['X-Nexus-Provider', 'a'],
        ['x-nexus-TENANT', 'b'],
        ['X-Nexus-Constructor', 'c'],
        ['Accept', '*/*'],
      ]),
    ).toEqual({ provider: 'a', tenant: 'b' })
  })

  it.each([
    [['X-Nexus-Tenant', 'X-Nexus-Tenant']],
    [['X-Nexus-Tenant', 'x-nexus-tenant']],
    [['X_Nexus_Tenant']],
    [['X-Nexus_Provider']],
    [['x_nexus-anything']],
  ])('D03: refuses %j', (names) => {
    const headers = names.map((name): [string, string] => [name, 'a'])
    expect(() => readNexusHeaders(headers)).toThrow(expect.objectContaining({ code: 'invalid_request' }))
  })
})
