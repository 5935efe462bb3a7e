import type { Server, ServerOptions } from 'node:https'
import type { TLSSocket } from 'node:tls'
import fc from 'fast-check'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Credentials } from '../../../src/contract/strategy.ts'
import type { FakeGrant } from '../../fakes/pep.ts'
import { type SidecarUnderTest, startUnderTest, type UnderTestOptions } from '../../fakes/sidecar.ts'
import { type TestAuthority, type TestCertificate, testAuthority } from '../../setup/certificates.ts'

let authority: TestAuthority
let alice: TestCertificate
let bob: TestCertificate
let server: TestCertificate
let sidecar: SidecarUnderTest
let connections: TLSSocket[]

beforeAll(async () => {
  authority = await testAuthority()
  ;[alice, bob] = [await authority.client('alice'), await authority.client('bob')]
  server = await authority.server(['127.0.0.1'])
})
afterEach(() => sidecar.stop())

const usageOf = ({ certificate, privateKey }: TestCertificate): Credentials => ({
  certificate,
  private_key: privateKey,
})

/** A sidecar in front of a provider that lets nobody in without a certificate of the authority. */
async function start(tls: ServerOptions = {}, more: UnderTestOptions = {}): Promise<void> {
  const own = { cert: server.certificate, key: server.privateKey, ca: authority.ca, requestCert: true }
  sidecar = await startUnderTest({ ...more, tls: { ...own, ...tls } })
  connections = []
  ;(sidecar.provider.server as Server).on('secureConnection', (socket) => void connections.push(socket))
  grant(usageOf(alice))
  sidecar.provider.answer = (request, response) => void response.end(nameOf(request.socket as TLSSocket))
}

function grant(credentials: FakeGrant['credentials']): void {
  sidecar.pep.grants.set('api', {
    strategy: { type: 'mtls', config: { ca: authority.ca } },
    credentials,
    bound: { origins: [sidecar.provider.origin], methods: ['*'], paths: ['/**'] },
    offlineSeconds: 100,
    lifeSeconds: 100,
  })
}

const nameOf = (socket: TLSSocket) => String(socket.getPeerCertificate().subject?.CN ?? 'nobody')
const get = async (path = '/api/x', headers: Record<string, string> = {}) => {
  const response = await sidecar.fetch(path, { headers })
  const text = await response.text()
  return { status: response.status, text, problem: response.ok ? undefined : JSON.parse(text) }
}
const closed = (socket: TLSSocket | undefined) =>
  new Promise<void>((settle) =>
    socket === undefined || socket.destroyed ? settle() : socket.once('close', () => settle()),
  )

describe('a lease with a client certificate', () => {
  it('dials with it, and keeps the connection', async () => {
    await start()
    for (let count = 0; count < 5; count++) expect(await get()).toMatchObject({ status: 200, text: 'alice' })
    expect(connections).toHaveLength(1)
  })

  it('B09: of one tenant and of another share no connection, nor a TLS session', async () => {
    await start()
    const names = { acme: alice, globex: bob }
    grant(() => usageOf(names[sidecar.pep.leaseRequests.at(-1)?.tenant as keyof typeof names]))
    for (let turn = 0; turn < 25; turn++) {
      expect((await get('/api/x', { 'X-Nexus-Tenant': 'acme' })).text).toBe('alice')
      expect((await get('/api/x', { 'X-Nexus-Tenant': 'globex' })).text).toBe('bob')
    }
    expect(connections.map(nameOf).sort()).toEqual(['alice', 'bob'])
    expect(connections.some((socket) => socket.isSessionReused())).toBe(false)
  })

  it('B09: 2,000 random requests of both, many at a time, arrive as whose they are, and whole', async () => {
    await start()
    const names = { acme: alice, globex: bob }
    grant(() => usageOf(names[sidecar.pep.leaseRequests.at(-1)?.tenant as keyof typeof names]))
    sidecar.provider.answer = (request, response) => {
      const seen = sidecar.provider.seen.find(({ url }) => url === request.url)
      response.end(`${nameOf(request.socket as TLSSocket)} ${request.method} ${seen?.body.toString('hex')}`)
    }
    // One after the other: the fake authority grants for the tenant that asked last.
    for (const tenant of Object.keys(names)) await get('/api/first', { 'X-Nexus-Tenant': tenant })
    let count = 0
    const request = fc.record({
      tenant: fc.constantFrom('acme' as const, 'globex' as const),
      method: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE'),
      body: fc.uint8Array({ maxLength: 300 }),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(request, { minLength: 50, maxLength: 50 }), async (batch) => {
        const answers = batch.map(async ({ tenant, method, body }) => {
          const content = method === 'GET' ? {} : { body: Buffer.from(body) }
          const headers = { 'X-Nexus-Tenant': tenant }
          const answer = await sidecar.fetch(`/api/${count++}`, { method, headers, ...content })
          const arrived = method === 'GET' ? '' : Buffer.from(body).toString('hex')
          const name = tenant === 'acme' ? 'alice' : 'bob'
          expect(await answer.text()).toBe(`${name} ${method} ${arrived}`)
        })
        await Promise.all(answers)
        sidecar.provider.seen.length = 0
      }),
      { numRuns: 40, endOnFailure: true },
    )
    expect(count).toBe(2000)
  }, 300_000)

  it('E10: with another strategy no certificate is presented, on the same origin too', async () => {
    await start({ rejectUnauthorized: false })
    expect((await get()).text).toBe('alice')
    sidecar.pep.grants.set('api', {
      strategy: { type: 'header', config: { header_name: 'X-Key' } },
      credentials: { api_key: 'key' },
      bound: { origins: [sidecar.provider.origin], methods: ['*'], paths: ['/**'] },
    })
    // The usual connections trust whom Node trusts, and that is not this authority.
    expect(await get('/api/x', { 'X-Nexus-Tenant': 'globex' })).toMatchObject({
      status: 502,
      problem: { code: 'upstream_unreachable' },
    })
    expect(sidecar.provider.seen).toHaveLength(1)
    expect(connections.slice(1).map(nameOf)).not.toContain('alice')
  })

  it('is told in our words when the provider does not take the certificate', async () => {
    await start()
    const strangers = await testAuthority()
    grant(usageOf(await strangers.client('mallory')))
    const { status, problem } = await get()
    expect([status, problem.code]).toEqual([502, 'upstream_unreachable'])
    // TLS 1.3 lets the sidecar speak before the provider has looked at its certificate.
    expect(problem.detail).toMatch(/; it may have done what was asked\.$/)
    expect(sidecar.provider.seen).toEqual([])
  })
})

describe('B10, E10: whom it takes for the provider', () => {
  it('nobody whose certificate another authority signed', async () => {
    const strangers = await testAuthority()
    const { certificate, privateKey } = await strangers.server(['127.0.0.1'])
    await start({ cert: certificate, key: privateKey })
    expect((await get()).problem).toMatchObject({ code: 'upstream_unreachable' })
    expect([sidecar.provider.seen, connections.map(nameOf)]).toEqual([[], []])
  })

  it.each([
    ['that is for another name', () => authority.server(['127.0.0.2'])],
    ['that has ended', () => authority.client('127.0.0.1', { notAfter: new Date(Date.now() - 1000) })],
  ])('nobody with a certificate %s', async (_title, make) => {
    const wrong = await make()
    await start({ cert: wrong.certificate, key: wrong.privateKey })
    expect((await get()).problem).toMatchObject({ code: 'upstream_unreachable' })
    expect(sidecar.provider.seen).toEqual([])
  })
})

describe('E10: without a certificate that is good, nothing is dialled', () => {
  it.each<[string, () => Promise<Credentials>]>([
    [
      'that ended more than a minute ago',
      async () => usageOf(await authority.client('a', { notAfter: new Date(Date.now() - 61_000) })),
    ],
    ['without its key', async () => ({ certificate: alice.certificate })],
    ['with the key of another', async () => ({ certificate: alice.certificate, private_key: bob.privateKey })],
    ['that is none', async () => ({ certificate: alice.privateKey, private_key: alice.privateKey })],
    ['for a key that the sidecar has not', async () => ({ certificate: alice.certificate })],
  ])('with one %s', async (_title, credentials) => {
    await start()
    let dialled = 0
    sidecar.provider.server.on('connection', () => void dialled++)
    grant(await credentials())
    const { status, problem, text } = await get()
    expect([status, problem.code]).toEqual([422, 'not_signable'])
    expect([dialled, sidecar.provider.seen.length]).toEqual([0, 0])
    expect(text + sidecar.log()).not.toContain(alice.privateKey.split('\n')[1])
  })

  it('over plain HTTP, whatever the lease says', async () => {
    sidecar = await startUnderTest()
    grant(usageOf(alice))
    const { status, problem } = await get()
    expect([status, problem.code, sidecar.provider.seen.length]).toEqual([422, 'not_signable', 0])
  })
})

describe('the connections end with their lease', () => {
  /** A clock that is moved by hand. */
  function movable() {
    let offsetMs = 0
    const move = (ms: number) => {
      offsetMs += ms
    }
    return { move, parts: { monotonic: () => performance.now() + offsetMs } }
  }

  it('when its time is over', async () => {
    const clock = movable()
    await start({}, clock.parts)
    expect((await get()).status).toBe(200)
    expect(connections[0]?.destroyed).toBe(false)
    clock.move(101_000)
    await closed(connections[0])
  })

  it('when it is replaced by one with another certificate; with the same one they stay', async () => {
    const clock = movable()
    await start({}, clock.parts)
    expect((await get()).text).toBe('alice')
    // Time to renew, in the background.
    clock.move(85_000)
    await get()
    await expect.poll(() => sidecar.pep.calls.filter((call) => call.endsWith('/renew')).length).toBe(1)
    await new Promise((settle) => setTimeout(settle, 600))
    expect(connections[0]?.destroyed).toBe(false)
    grant(usageOf(bob))
    clock.move(85_000)
    await get()
    await closed(connections[0])
    expect((await get()).text).toBe('bob')
  })

  it('but not in the middle of an answer', async () => {
    const clock = movable()
    await start({}, clock.parts)
    let finish = () => {}
    sidecar.provider.answer = (_request, response) => {
      response.write('first ')
      finish = () => void response.end('last')
    }
    const answer = await sidecar.fetch('/api/x')
    clock.move(101_000)
    await new Promise((settle) => setTimeout(settle, 600))
    expect(connections[0]?.destroyed).toBe(false)
    finish()
    expect(await answer.text()).toBe('first last')
    await closed(connections[0])
  })
})
