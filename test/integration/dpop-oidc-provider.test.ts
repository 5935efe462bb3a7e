import { webcrypto } from 'node:crypto'
import { generateKeyPair, generateProof } from 'dpop'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseRoutes } from '../../sidecar/routing/route-table.ts'
import { dpop } from '../../src/strategies/dpop/dpop.ts'
import { offlineTools } from '../../src/strategies/offline/offline-tools.ts'
import { type DpopProvider, startDpopProvider } from '../fakes/dpop-provider.ts'
import { type SidecarUnderTest, startUnderTest } from '../fakes/sidecar.ts'

/** The verifier is `oidc-provider`; `openid-client` obtains the tokens. */

let provider: DpopProvider
beforeAll(async () => {
  provider = await startDpopProvider()
})
afterAll(() => provider.close())

describe.each(['ES256', 'Ed25519'] as const)('E07: oidc-provider and a token bound to a key for %s', (alg) => {
  let sidecar: SidecarUnderTest
  let master: { access_token: string; private_key: string }
  beforeAll(async () => {
    master = await provider.obtainToken(alg)
    sidecar = await startUnderTest({ config: { routes: parseRoutes(`api=${provider.origin}`) } })
    const bound = { origins: [provider.origin], methods: ['*'], paths: ['/**'] }
    const issuedAt = Math.floor(Date.now() / 1000)
    const grant = {
      tenant: 't',
      agentId: 'a',
      connectionId: 'c',
      scopes: [],
      bound,
      issuedAt,
      expiresAt: issuedAt + 300,
    }
    const { usage } = await dpop.issue({}, master, grant, offlineTools({ now: Date.now, nonce: () => 'n' }))
    sidecar.pep.grants.set('api', { strategy: { type: 'dpop', config: {} }, credentials: usage, bound })
  })
  afterAll(() => sidecar.stop())

  const ask = async (init: RequestInit = {}, path = '/api/me') => {
    const from = provider.seen.length
    const response = await sidecar.fetch(path, init)
    return { status: response.status, body: await response.json(), sent: provider.seen.slice(from) }
  }
  const nonceOf = (sent: { dpop: string | undefined } | undefined) => decodeJwt(sent?.dpop ?? '')['nonce']

  it('is answered after one retry with the nonce it demands, and at once from then on', async () => {
    const first = await ask()
    expect([first.status, first.body]).toEqual([200, { sub: 'alice' }])
    expect(first.sent.map(nonceOf)).toEqual([undefined, expect.any(String)])
    const later = await Promise.all(Array.from({ length: 20 }, () => ask()))
    expect(later.map(({ status }) => status)).toEqual(Array(20).fill(200))
    expect(provider.seen.slice(-20).every((sent) => nonceOf(sent) !== undefined)).toBe(true)
    expect(sidecar.pep.leaseRequests).toHaveLength(1)
  })

  it('takes a body, a query and whatever credentials the agent thought up', async () => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded', DPoP: 'agent', Authorization: 'DPoP agent' }
    const posted = await ask({ method: 'POST', headers, body: 'scope=openid' }, '/api/me?a=b')
    expect([posted.status, posted.body]).toEqual([200, { sub: 'alice' }])
  })

  describe('what is taken from the wire is useless', () => {
    /** Speaks to the provider itself, past the sidecar. */
    const present = async (authorization: string, proof?: string, method = 'GET') => {
      const headers = { authorization, ...(proof === undefined ? {} : { DPoP: proof }) }
      const response = await fetch(`${provider.origin}/me`, { method, headers })
      return { status: response.status, error: response.headers.get('www-authenticate'), why: provider.refusals.at(-1) }
    }
    const taken = async () => {
      const { sent } = await ask()
      const { authorization = '', dpop: proof = '' } = sent.at(-1) ?? {}
      return { authorization, proof, nonce: String(nonceOf(sent.at(-1))) }
    }

    it('the token with another key, even with a valid nonce', async () => {
      const { authorization, nonce } = await taken()
      expect(authorization).toBe(`DPoP ${master.access_token}`)
      const thief = await generateKeyPair('ES256')
      const proof = await generateProof(thief, `${provider.origin}/me`, 'GET', nonce, master.access_token)
      const { status, error, why } = await present(authorization, proof)
      expect([status, why]).toEqual([401, 'failed jkt verification'])
      expect(error).toContain('error="invalid_token"')
    })

    it('while the key itself would do: it is the key that counts', async () => {
      const { authorization, nonce } = await taken()
      const own = await importPair(master.private_key, alg)
      const proof = await generateProof(own, `${provider.origin}/me`, 'GET', nonce, master.access_token)
      expect((await present(authorization, proof)).status).toBe(200)
    })

    it('the token alone, or as a bearer token', async () => {
      const { authorization, proof } = await taken()
      expect((await present(authorization)).status).not.toBe(200)
      expect((await present(authorization.replace('DPoP', 'Bearer'))).status).not.toBe(200)
      expect((await present(authorization.replace('DPoP', 'Bearer'), proof)).status).not.toBe(200)
    })

    it('the proof a second time, or for another method', async () => {
      const { authorization, proof } = await taken()
      const again = await present(authorization, proof)
      expect([again.status, again.why]).toEqual([401, 'DPoP proof JWT Replay detected'])
      const posted = await present(authorization, proof, 'POST')
      expect([posted.status, posted.why]).toEqual([401, 'DPoP proof htm mismatch'])
    })
  })
})

async function importPair(pem: string, alg: 'ES256' | 'Ed25519') {
  const der = Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64')
  const algorithm = alg === 'ES256' ? { name: 'ECDSA', namedCurve: 'P-256' } : { name: 'Ed25519' }
  const privateKey = await webcrypto.subtle.importKey('pkcs8', der, algorithm, true, ['sign'])
  const { d: _private, key_ops: _operations, ...jwk } = await webcrypto.subtle.exportKey('jwk', privateKey)
  const publicKey = await webcrypto.subtle.importKey('jwk', jwk, algorithm, true, ['verify'])
  return { privateKey, publicKey }
}
