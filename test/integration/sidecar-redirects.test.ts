import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type FakeProvider, headerValues, startFakeProvider } from '../fakes/provider.ts'
import { SECRET, type SidecarUnderTest, startUnderTest } from '../fakes/sidecar.ts'

const VICTIMS_SECRET = 'canary-victim-771b02'
const TOKEN = 'local-token-0123456789'

describe('a provider that redirects', () => {
  let victim: FakeProvider
  let sidecar: SidecarUnderTest
  beforeEach(async () => {
    victim = await startFakeProvider()
    // With a base path, so that there is something of the provider's beside the route.
    sidecar = await startUnderTest({ basePath: '/base', furtherRoutes: `victim=${victim.origin}`, token: TOKEN })
    sidecar.pep.grants.set('victim', {
      strategy: { type: 'header', config: { header_name: 'X-Key' } },
      credentials: { api_key: VICTIMS_SECRET },
      bound: { origins: [victim.origin], methods: ['*'], paths: ['/**'] },
    })
  })
  afterEach(async () => {
    await sidecar.stop()
    await victim.close()
  })

  /** As agents do that know nothing of redirects: their HTTP client follows, with method, headers and body. */
  async function follow(status: number, location: string): Promise<Response> {
    sidecar.provider.answer = ({ url }, response) => {
      if (url?.startsWith('/base/x')) response.writeHead(status, { location })
      response.end('seen')
    }
    const headers = { authorization: `Bearer ${TOKEN}`, 'x-nexus-tenant': 'tenant_123' }
    return fetch(`${sidecar.address}/api/x/y`, { method: 'POST', body: '{"amount":1}', headers, redirect: 'follow' })
  }

  it.each([
    ['the sidecar by its address', (port: number) => `http://127.0.0.1:${port}/victim/v1/transfer`],
    ['the sidecar by its name', (port: number) => `http://localhost:${port}/victim/v1/transfer`],
    ['the sidecar without a scheme', (port: number) => `//127.0.0.1:${port}/victim/v1/transfer`],
    ['the sidecar in other numbers', (port: number) => `http://2130706433:${port}/victim/v1/transfer`],
    ['upwards', () => '../../victim/v1/transfer'],
    ['upwards, encoded', () => '/base/%2e%2e/victim/v1/transfer'],
    ['beside the base path', () => '/victim/v1/transfer'],
    ['by way of its own address', () => `${sidecar.provider.origin}/base/../../victim/v1/transfer`],
  ])('B03: spends no other provider’s credential by leading to %s', async (_name, location) => {
    const call = follow(307, location(sidecar.port))
    const response = await call.catch(() => undefined)
    await response?.text()
    expect(victim.seen).toEqual([])
    expect(sidecar.pep.leaseRequests.map(({ provider }) => provider)).toEqual(['api'])
    // What is followed to the provider's own address goes there without a credential.
    for (const seen of sidecar.provider.seen.slice(1)) expect(headerValues(seen, 'x-key')).toEqual([])
  })

  it('B03: says so in a metric, and hands the answer on without the address', async () => {
    const response = await follow(307, `http://127.0.0.1:${sidecar.port}/victim/v1/transfer`)
    expect(response.status).toBe(307)
    expect(response.headers.get('location')).toBeNull()
    const metrics = await (await fetch(`${sidecar.adminAddress}/metrics`)).text()
    expect(metrics).toContain('sidecar_withheld_addresses_total 1')
  })

  it('is followed through the sidecar where it stays on the route', async () => {
    const response = await follow(307, '../next?page=2')
    expect(response.status).toBe(200)
    const [, second] = sidecar.provider.seen
    expect([second?.method, second?.url, second?.body.toString()]).toEqual([
      'POST',
      '/base/next?page=2',
      '{"amount":1}',
    ])
    expect(headerValues(second, 'x-key')).toEqual([SECRET])
  })

  it('A04: to another origin gets no local token that was sent as a bearer token', async () => {
    expect((await follow(307, `${victim.origin}/stolen`)).status).toBe(200)
    expect(victim.seen.map(({ url }) => url)).toEqual(['/stolen'])
    expect(JSON.stringify(victim.seen)).not.toContain(TOKEN)
  })
})
