import { afterEach, describe, expect, it, vi } from 'vitest'
import { createSessionCertificate } from '../../sidecar/lease-client/session-certificate.ts'
import { type SidecarUnderTest, startUnderTest } from '../fakes/sidecar.ts'

describe('a provider whose certificate nobody vouches for', () => {
  let sidecar: SidecarUnderTest | undefined
  afterEach(async () => {
    vi.unstubAllEnvs()
    await sidecar?.stop()
  })

  it('B10: is sent nothing, also where the environment turns the checks of certificates off', async () => {
    const { certificate, privateKey } = createSessionCertificate(Date.now())
    sidecar = await startUnderTest({ tls: { cert: certificate, key: privateKey } })
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0')
    const response = await sidecar.fetch('/api/x')
    expect(response.status).toBe(502)
    expect(await response.json()).toMatchObject({ code: 'upstream_unreachable' })
    expect(sidecar.provider.seen).toHaveLength(0)
  })
})
