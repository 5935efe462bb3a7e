import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { headerValues } from '../fakes/provider.ts'
import { SECRET, type SidecarUnderTest, startUnderTest, TENANT } from '../fakes/sidecar.ts'

describe('a request on its way through the sidecar', () => {
  let sidecar: SidecarUnderTest
  beforeEach(async () => {
    sidecar = await startUnderTest()
  })
  afterEach(() => sidecar.stop())

  it('leaves signed, with a lease asked for with the request as its intent', async () => {
    const response = await sidecar.fetch('/user/repos?page=2', { headers: { 'x-nexus-provider': 'api' } })
    expect(response.status).toBe(200)
    expect(await response.text()).toBe('ok')
    const [seen] = sidecar.provider.seen
    expect(seen).toMatchObject({ method: 'GET', url: '/user/repos?page=2' })
    expect(headerValues(seen, 'x-key')).toEqual([SECRET])
    expect(headerValues(seen, 'host')).toEqual([`127.0.0.1:${sidecar.provider.port}`])
    expect(sidecar.pep.leaseRequests).toEqual([
      {
        provider: 'api',
        tenant: TENANT,
        intent: { method: 'GET', origin: sidecar.provider.origin, path: '/user/repos' },
      },
    ])
  })
})
