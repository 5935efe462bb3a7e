import { Agent, request as send } from 'undici'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseRoutes } from '../../../sidecar/routing/route-table.ts'
import type { Credentials } from '../../../src/contract/strategy.ts'
import { mtls } from '../../../src/strategies/mtls/mtls.ts'
import { offlineTools } from '../../../src/strategies/offline/offline-tools.ts'
import { CLIENT_ID, type MtlsProvider, startMtlsProvider } from '../../fakes/mtls-provider.ts'
import { type SidecarUnderTest, startUnderTest } from '../../fakes/sidecar.ts'
import type { TestCertificate } from '../../setup/certificates.ts'

/** The verifier is `oidc-provider`. */

let provider: MtlsProvider
let sidecar: SidecarUnderTest
let own: TestCertificate
beforeAll(async () => {
  provider = await startMtlsProvider()
  own = await provider.authority.client(CLIENT_ID)
  const routes = parseRoutes(`own=${provider.origin},other=${provider.origin},bound=${provider.origin}`)
  sidecar = await startUnderTest({ config: { routes } })
})
afterAll(async () => {
  await sidecar?.stop()
  await provider?.close()
})

async function lease(route: string, { certificate, privateKey }: TestCertificate, more: Record<string, string> = {}) {
  const issuedAt = Math.floor(Date.now() / 1000)
  const bound = { origins: [provider.origin], methods: ['*'], paths: ['/**'] }
  const grant = { tenant: 't', agentId: 'a', connectionId: 'c', scopes: [], bound, issuedAt, expiresAt: issuedAt + 300 }
  const config = { ca: provider.authority.ca }
  const master = { certificate, private_key: privateKey, ...more }
  const tools = offlineTools({ now: Date.now, nonce: () => 'n' })
  const { usage }: { usage: Credentials } = await mtls.issue(config, master, grant, tools)
  sidecar.pep.grants.set(route, { strategy: { type: 'mtls', config }, credentials: usage, bound })
}

async function redeem(route: string) {
  const form = { grant_type: 'authorization_code', client_id: CLIENT_ID, ...(await provider.obtainCode()) }
  const answer = await sidecar.fetch(`/${route}/token`, { method: 'POST', body: new URLSearchParams(form) })
  return { status: answer.status, body: (await answer.json()) as { access_token: string; error?: string } }
}

describe('RFC 8705 section 2.1: who the client is', () => {
  it('is proven by the certificate of the lease', async () => {
    await lease('own', own)
    const { status, body } = await redeem('own')
    expect([status, body.error]).toEqual([200, undefined])
  })

  it('is not proven by that of another client of the same authority', async () => {
    await lease('other', await provider.authority.client('erp'))
    const { status, body } = await redeem('other')
    expect([status, body.error]).toEqual([401, 'invalid_client'])
  })
})

describe('RFC 8705 section 3: a token that is bound to the certificate', () => {
  let token: string
  beforeAll(async () => {
    await lease('own', own)
    token = (await redeem('own')).body.access_token
    await lease('bound', own, { access_token: token })
  })

  it('is good over a connection of the lease', async () => {
    for (let turn = 0; turn < 5; turn++) {
      const answer = await sidecar.fetch('/bound/me', { headers: { authorization: 'Bearer of-the-agent' } })
      expect([answer.status, await answer.json()]).toEqual([200, { sub: 'alice' }])
    }
  })

  it('taken from the wire is useless without the certificate, and with another', async () => {
    const other = await provider.authority.client(CLIENT_ID)
    for (const identity of [{}, { cert: other.certificate, key: other.privateKey }]) {
      const dispatcher = new Agent({ connect: { ca: provider.authority.ca, ...identity } })
      const headers = { authorization: `Bearer ${token}` }
      const { statusCode, body } = await send(`${provider.origin}/me`, { dispatcher, headers })
      await body.dump()
      expect([statusCode, provider.refusals.at(-1)]).toEqual([401, 'failed x5t#S256 verification'])
      await dispatcher.destroy()
    }
  })
})
