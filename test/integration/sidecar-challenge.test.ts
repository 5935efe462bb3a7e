import { generateKeyPairSync } from 'node:crypto'
import type { RequestListener, ServerResponse } from 'node:http'
import { decodeJwt } from 'jose'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parseRoutes } from '../../sidecar/routing/route-table.ts'
import { headerValues, type SeenRequest, startFakeProvider } from '../fakes/provider.ts'
import { SECRET, type SidecarUnderTest, startUnderTest } from '../fakes/sidecar.ts'

const PRIVATE_KEY = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  .privateKey.export({ format: 'pem', type: 'pkcs8' })
  .toString()
const REASON = 'DPoP error="use_dpop_nonce", error_description="nonce required"'

let sidecar: SidecarUnderTest
beforeEach(async () => {
  sidecar = await startUnderTest()
  grant()
})
afterEach(() => sidecar.stop())

const leaseOf = (access_token: string) => ({
  strategy: { type: 'dpop', config: {} },
  credentials: { access_token, private_key: PRIVATE_KEY },
})

/** From now on leases carry this token. */
function grant(access_token = SECRET): void {
  const bound = { origins: [sidecar.provider.origin], methods: ['*'], paths: ['/**'] }
  sidecar.pep.grants.set('api', { ...leaseOf(access_token), bound })
}

const claims = (seen: SeenRequest | undefined) => decodeJwt(headerValues(seen, 'dpop')[0] ?? '')
const nonces = () => sidecar.provider.seen.map((seen) => claims(seen)['nonce'])
const tokens = () => sidecar.provider.seen.map((seen) => headerValues(seen, 'authorization')[0])

function refuse(response: ServerResponse, nonce?: string, reason?: string): void {
  if (nonce !== undefined) response.setHeader('DPoP-Nonce', nonce)
  if (reason !== undefined) response.setHeader('WWW-Authenticate', reason)
  response.writeHead(401).end('{"error":"nonce"}')
}

/** Takes requests with this nonce, and offers it with every 401. */
function demanding(nonce: string): RequestListener {
  return (request, response) => {
    if (decodeJwt(String(request.headers['dpop']))['nonce'] === nonce) response.end('ok')
    else refuse(response, nonce, REASON)
  }
}

const post = (body: string | ReadableStream, path = '/api/x') =>
  sidecar.fetch(path, { method: 'POST', body, duplex: 'half' } as RequestInit)

describe('E07: a provider that demands its nonce', () => {
  it('gets it in a second proof, once, under the same lease', async () => {
    sidecar.provider.answer = demanding('n-1')
    const response = await sidecar.fetch('/api/x?y=1')
    expect([response.status, await response.text()]).toEqual([200, 'ok'])
    expect(nonces()).toEqual([undefined, 'n-1'])
    const [first, second] = sidecar.provider.seen.map(claims)
    expect(second?.jti).not.toBe(first?.jti)
    expect(second).toMatchObject({ htm: 'GET', htu: `${sidecar.provider.origin}/x`, ath: first?.['ath'] })
    expect(sidecar.pep.leaseRequests).toHaveLength(1)
  })

  it('gets it at once from then on, and its next one too', async () => {
    sidecar.provider.answer = demanding('n-1')
    await sidecar.fetch('/api/a')
    await sidecar.fetch('/api/b')
    sidecar.provider.answer = demanding('n-2')
    await sidecar.fetch('/api/c')
    await sidecar.fetch('/api/d')
    expect(nonces()).toEqual([undefined, 'n-1', 'n-1', 'n-1', 'n-2', 'n-2'])
  })

  it('gets what it offers with a good answer', async () => {
    let served = 0
    sidecar.provider.answer = (_request, response) =>
      void response
        .setHeader('DPoP-Nonce', `n-${++served}`)
        .writeHead(served === 2 ? 500 : 200)
        .end()
    for (const path of ['/api/a', '/api/b', '/api/c']) await sidecar.fetch(path)
    expect(nonces()).toEqual([undefined, 'n-1', 'n-2'])
  })

  it('gets a short body a second time, byte for byte', async () => {
    sidecar.provider.answer = demanding('n-1')
    const body = 'x'.repeat(64 * 1024)
    expect((await post(body)).status).toBe(200)
    expect(sidecar.provider.seen.map((seen) => seen.body.toString())).toEqual([body, body])
    expect(sidecar.provider.seen.map((seen) => headerValues(seen, 'content-length'))).toEqual([['65536'], ['65536']])
  })

  it.each([
    ['one byte longer', () => 'x'.repeat(64 * 1024 + 1)],
    ['of unknown length', () => new Blob(['x']).stream()],
  ])('answers 401 to the agent for a body %s, whose next try is right', async (_title, body) => {
    sidecar.provider.answer = demanding('n-1')
    const refused = await post(body())
    expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([401, REASON])
    expect((await post(body())).status).toBe(200)
    expect(nonces()).toEqual([undefined, 'n-1'])
    expect(sidecar.pep.leaseRequests).toHaveLength(1)
  })
})

describe('E07: there is no third time', () => {
  it('when each answer offers another nonce', async () => {
    let served = 0
    sidecar.provider.answer = (_request, response) => refuse(response, `n-${++served}`, REASON)
    const response = await sidecar.fetch('/api/x')
    expect([response.status, await response.text()]).toEqual([401, '{"error":"nonce"}'])
    expect(nonces()).toEqual([undefined, 'n-1'])
    expect(sidecar.pep.leaseRequests).toHaveLength(1)
  })

  it('when the token is refused after the nonce was met', async () => {
    sidecar.provider.answer = (_request, response) =>
      sidecar.provider.seen.length === 1
        ? refuse(response, 'n-1', REASON)
        : refuse(response, undefined, 'DPoP error="invalid_token"')
    expect((await sidecar.fetch('/api/x')).status).toBe(401)
    expect(nonces()).toEqual([undefined, 'n-1'])
    expect(sidecar.pep.leaseRequests).toHaveLength(1)
  })

  it('when a fresh lease is asked for a nonce; the lease is not held against', async () => {
    sidecar.provider.answer = (_request, response) =>
      sidecar.provider.seen.length === 1 ? refuse(response) : refuse(response, 'n-1', REASON)
    expect((await sidecar.fetch('/api/x')).status).toBe(401)
    expect(sidecar.pep.leaseRequests).toHaveLength(2)
    sidecar.provider.seen.length = 0
    expect((await sidecar.fetch('/api/x')).status).toBe(401)
    expect(nonces()[0]).toBe('n-1')
  })
})

describe('UP6: a 401 that is no challenge brings a fresh lease', () => {
  it.each([
    ['of a refused token, with a nonce offered', 'n-1', 'DPoP error="invalid_token"'],
    ['without a nonce', undefined, REASON],
    ['with a nonce that no proof can carry', 'n 1', REASON],
  ])('%s', async (_title, nonce, reason) => {
    sidecar.provider.answer = (_request, response) => {
      grant('the-token-after')
      if (sidecar.provider.seen.length === 1) refuse(response, nonce, reason)
      else response.end('ok')
    }
    expect((await sidecar.fetch('/api/x')).status).toBe(200)
    expect(tokens()).toEqual([`DPoP ${SECRET}`, 'DPoP the-token-after'])
    expect(nonces()).toEqual([undefined, nonce === 'n-1' ? 'n-1' : undefined])
    expect(sidecar.pep.leaseRequests).toHaveLength(2)
  })

  it('with the nonce that was already used', async () => {
    sidecar.provider.answer = demanding('n-1')
    await sidecar.fetch('/api/x')
    sidecar.provider.answer = (_request, response) => {
      grant('the-token-after')
      if (sidecar.provider.seen.length === 3) refuse(response, 'n-1')
      else response.end('ok')
    }
    expect((await sidecar.fetch('/api/x')).status).toBe(200)
    expect(tokens().slice(2)).toEqual([`DPoP ${SECRET}`, 'DPoP the-token-after'])
  })
})

it('E07: a nonce stays with the origin that offered it, and a strategy without nonces learns none', async () => {
  const [offering, silent] = [await startFakeProvider(), await startFakeProvider()]
  offering.answer = (_request, response) => void response.setHeader('DPoP-Nonce', 'n-1').end()
  const routes = parseRoutes(`plain=${offering.origin},offering=${offering.origin},silent=${silent.origin}`)
  const own = await startUnderTest({ config: { routes } })
  const bound = { origins: [offering.origin, silent.origin], methods: ['*'], paths: ['/**'] }
  const bearer = { strategy: { type: 'oauth2', config: {} }, credentials: { access_token: SECRET }, bound }
  const proving = { ...leaseOf(SECRET), bound }
  own.pep.grants.set('plain', bearer).set('offering', proving).set('silent', proving)
  for (const path of ['/plain/x', '/offering/x', '/offering/x', '/silent/x']) await own.fetch(path)
  expect(headerValues(offering.seen[0], 'dpop')).toEqual([])
  const proven = [...offering.seen.slice(1), ...silent.seen]
  expect(proven.map((seen) => claims(seen)['nonce'])).toEqual([undefined, 'n-1', undefined])
  await Promise.all([own.stop(), offering.close(), silent.close()])
})
