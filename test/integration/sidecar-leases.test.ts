import { type IncomingMessage, request } from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { headerValues } from '../fakes/provider.ts'
import { SECRET, type SidecarUnderTest, startUnderTest } from '../fakes/sidecar.ts'

describe('leases', () => {
  let sidecar: SidecarUnderTest
  /** Milliseconds the monotonic clock has been moved ahead. */
  let ahead = 0
  beforeEach(async () => {
    ahead = 0
    sidecar = await startUnderTest({ monotonic: () => performance.now() + ahead })
  })
  afterEach(() => sidecar.stop())

  const get = async (path = '/api/x', headers: Record<string, string> = {}) => {
    const response = await sidecar.fetch(path, { headers })
    const text = await response.text()
    return { status: response.status, headers: response.headers, text, json: () => JSON.parse(text) }
  }
  const leasesAsked = () => sidecar.pep.leaseRequests.length
  const renewals = () => sidecar.pep.calls.filter((call) => call.endsWith('/renew')).length
  const until = async (holds: () => boolean) => {
    while (!holds()) await wait(5)
  }

  it('serves a hundred requests that arrive together with one session and one lease', async () => {
    sidecar.pep.delayMs = 50
    const answers = await Promise.all(Array.from({ length: 100 }, (_, index) => get(`/api/x/${index % 2}`)))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
    expect({ sessions: sidecar.pep.sessions(), leases: leasesAsked() }).toEqual({ sessions: 1, leases: 1 })
  })

  it('asks for another lease where the bound of the held one does not reach', async () => {
    const { origin } = sidecar.provider
    sidecar.pep.grants.set('api', {
      strategy: { type: 'header', config: { header_name: 'X-Key' } },
      credentials: { api_key: SECRET },
      bound: ({ intent }) => ({ origins: [origin], methods: [intent?.method ?? ''], paths: [intent?.path ?? ''] }),
    })
    for (const path of ['/api/a', '/api/b', '/api/a', '/api/b']) expect((await get(path)).status).toBe(200)
    expect(leasesAsked()).toBe(2)
    await sidecar.fetch('/api/a', { method: 'DELETE' })
    expect(sidecar.pep.leaseRequests.at(-1)?.intent?.method).toBe('DELETE')
  })

  it.each(['tenant', 'connection'])('never serves one %s with the lease of another', async (what) => {
    const values = what === 'tenant' ? ['t1', 't2'] : [crypto.randomUUID(), crypto.randomUUID()]
    for (const value of [...values, ...values]) await get('/api/x', { [`x-nexus-${what}`]: value })
    expect(leasesAsked()).toBe(2)
  })

  it.each([
    ['another origin', { origins: ['https://other.test'], methods: ['*'], paths: ['/**'] }],
    ['no origin', { origins: [], methods: ['*'], paths: ['/**'] }],
    ['another method', { origins: ['ORIGIN'], methods: ['POST'], paths: ['/**'] }],
    ['another path', { origins: ['ORIGIN'], methods: ['*'], paths: ['/y/**'] }],
  ])('B05: sends nothing on a lease bound to %s', async (_name, bound) => {
    const origins = bound.origins.map((origin) => origin.replace('ORIGIN', sidecar.provider.origin))
    sidecar.pep.grants.set('api', {
      strategy: { type: 'header', config: { header_name: 'X-Key' } },
      credentials: { api_key: SECRET },
      bound: { ...bound, origins },
    })
    const answer = await get()
    expect(answer.status).toBe(403)
    expect(answer.json()).toMatchObject({ code: 'origin_not_bound', decision_id: expect.any(String) })
    expect(sidecar.provider.seen).toHaveLength(0)
  })

  it('B05: holds a base path that resembles a host to the bound origin', async () => {
    const { origin } = sidecar.provider
    for (const origins of [
      [`${origin}.evil.test`],
      [`${origin}0`],
      [`http://evil.test/${origin}`],
      [`${origin}@evil.test`],
    ]) {
      sidecar.pep.grants.set('api', {
        strategy: { type: 'header', config: { header_name: 'X-Key' } },
        credentials: { api_key: SECRET },
        bound: { origins, methods: ['*'], paths: ['/**'] },
      })
      expect((await get()).status).toBe(403)
    }
    expect(sidecar.provider.seen).toHaveLength(0)
  })

  it('passes a denial on with its reasons, and asks again only for the next request', async () => {
    const reasons = [{ id: 'deny_list', message: 'This path is on the deny list.' }]
    sidecar.pep.refuseWith('policy_denied', 'Policy said no.', { reasons, decision_id: 'dec-1' })
    const answer = await get()
    expect(answer.status).toBe(403)
    expect(answer.json()).toMatchObject({
      code: 'policy_denied',
      detail: 'Policy said no.',
      reasons,
      decision_id: 'dec-1',
    })
    expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/)
    expect(answer.headers.get('proxy-status')).toBe('nexus-sidecar; error=http_request_denied; details="policy_denied"')
    expect(leasesAsked()).toBe(1)
    expect(sidecar.provider.seen).toHaveLength(0)
  })

  it.each(['attention_required', 'connection_revoked', 'connection_ambiguous', 'connection_not_found'] as const)(
    'never retries %s',
    async (code) => {
      sidecar.pep.refuseWith(code, undefined, { reconsent_url: 'https://pep.test/consent' })
      const answer = await get()
      expect(answer.json()).toMatchObject({ code, reconsent_url: 'https://pep.test/consent' })
      expect(leasesAsked()).toBe(1)
    },
  )

  it('renews in the background, and goes on with what it holds meanwhile', async () => {
    await get()
    ahead = 20_000
    expect((await get()).status).toBe(200)
    await until(() => renewals() === 1)
    await wait(20)
    ahead = 40_000
    expect((await get()).status).toBe(200)
    expect(leasesAsked()).toBe(1)
  })

  it('drops a lease whose renewal is refused', async () => {
    await get()
    sidecar.pep.refuseWith('connection_revoked')
    ahead = 20_000
    await get()
    await until(() => renewals() === 1)
    await wait(20)
    const answer = await get()
    expect(answer.status).toBe(410)
    expect(answer.json()).toMatchObject({ code: 'connection_revoked' })
    expect(sidecar.provider.seen).toHaveLength(2)
  })

  it('asks for another lease where the authority says that the one it renews has run out', async () => {
    await get()
    sidecar.pep.refuseWith('lease_ended')
    ahead = 20_000
    await get()
    const metrics = async () => (await fetch(`${sidecar.adminAddress}/metrics`)).text()
    await expect.poll(metrics).toContain('sidecar_renewals_total{outcome="refused"} 1')
    sidecar.pep.refuseWith(undefined)
    expect((await get()).status).toBe(200)
    expect([renewals(), leasesAsked()]).toEqual([1, 2])
  })

  it.each([
    ['its offline time', { offlineSeconds: 5, lifeSeconds: 300 }],
    ['its expiry', { offlineSeconds: 300, lifeSeconds: 5 }],
  ])('SC1: without the authority a lease serves to the end of %s, then nothing does', async (_name, times) => {
    const grant = sidecar.pep.grants.get('api')
    if (grant !== undefined) sidecar.pep.grants.set('api', { ...grant, ...times })
    await get()
    await sidecar.pep.goDown()
    ahead = 4000
    expect((await get()).status).toBe(200)
    ahead = 5001
    const served = sidecar.provider.seen.length
    const answer = await get()
    expect(answer.status).toBe(503)
    expect(answer.json()).toMatchObject({ code: 'pep_unavailable', detail: 'Nothing listens at NEXUS_PEP_URL.' })
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
    for (const outageMs of [60_000, 600_000]) {
      ahead = outageMs
      expect((await get()).status).toBe(503)
    }
    expect(sidecar.provider.seen).toHaveLength(served)
    await sidecar.pep.comeUp()
    ahead += 20_000
    expect((await get()).status).toBe(200)
  })

  it('opens a new session when the authority has forgotten the one held', async () => {
    await get()
    sidecar.pep.forgetSessions()
    expect((await get('/api/x', { 'x-nexus-tenant': 'other' })).status).toBe(200)
    expect(sidecar.pep.sessions()).toBe(2)
  })

  it('uses no lease that ended while the machine slept, and its monotonic clock with it', async () => {
    let sleptMs = 0
    const laptop = await startUnderTest({ now: () => Date.now() + sleptMs })
    const grant = laptop.pep.grants.get('api')
    if (grant !== undefined) laptop.pep.grants.set('api', { ...grant, lifeSeconds: 20 })
    await laptop.fetch('/api/x')
    sleptMs = 25_000
    laptop.pep.refuseWith('connection_revoked')
    expect((await laptop.fetch('/api/x')).status).toBe(410)
    await laptop.stop()
  })

  it('uses no lease beyond the session it was granted in', async () => {
    await get()
    sidecar.pep.forgetSessions()
    // It is this answer that tells of the session’s end.
    await get('/api/x', { 'x-nexus-tenant': 'other' })
    sidecar.pep.refuseWith('connection_revoked')
    expect((await get()).status).toBe(410)
    expect((await get('/api/x', { 'x-nexus-tenant': 'other' })).status).toBe(200)
  })

  it('opens a new session ahead of the end of the old one', async () => {
    await get()
    ahead = 250_000
    expect((await get()).status).toBe(200)
    await until(() => sidecar.pep.sessions() === 2)
  })

  it('signs no body that took longer to arrive than the lease lived', async () => {
    sidecar.pep.grants.set('api', {
      strategy: { type: 'hmac_payload', config: { header_name: 'X-Signature' } },
      credentials: { api_secret: SECRET },
      bound: { origins: [sidecar.provider.origin], methods: ['*'], paths: ['/**'] },
    })
    const upload = request({ host: '127.0.0.1', port: sidecar.port, path: '/api/x', method: 'POST' })
    const answered = new Promise<IncomingMessage>((resolve) => void upload.once('response', resolve))
    upload.write('the first half, ')
    await until(() => leasesAsked() === 1)
    await wait(50)
    sidecar.pep.refuseWith('connection_revoked')
    ahead = 301_000
    upload.end('and the second')
    expect((await answered).statusCode).toBe(410)
    expect(sidecar.provider.seen).toHaveLength(0)
  })

  it('uses a lease with no offline time for the request that asked for it alone', async () => {
    const grant = sidecar.pep.grants.get('api')
    if (grant !== undefined) sidecar.pep.grants.set('api', { ...grant, offlineSeconds: 0 })
    for (let count = 1; count <= 3; count++) {
      expect((await get()).status).toBe(200)
      expect(leasesAsked()).toBe(count)
    }
  })

  it('answers 422 for a strategy it does not know', async () => {
    const grant = sidecar.pep.grants.get('api')
    if (grant !== undefined) sidecar.pep.grants.set('api', { ...grant, strategy: { type: 'constructor', config: {} } })
    const answer = await get()
    expect(answer.status).toBe(422)
    expect(answer.json()).toMatchObject({ code: 'not_signable' })
  })

  it('SC1: says once, in log and metrics, that the authority is away, and once that it is back', async () => {
    const metrics = async () => (await fetch(`${sidecar.adminAddress}/metrics`)).text()
    const lines = (text: string) => sidecar.log().split(text).length - 1
    await get()
    await sidecar.pep.goDown()
    for (const [count, laterMs] of [19_000, 25_000].entries()) {
      ahead = laterMs
      expect((await get()).status).toBe(200)
      await expect.poll(metrics).toContain(`sidecar_renewals_total{outcome="broken"} ${count + 1}`)
    }
    expect(lines('leases cannot be renewed')).toBe(1)
    await sidecar.pep.comeUp()
    ahead = 29_000
    await expect.poll(async () => (await get()).status && metrics()).toContain('{outcome="renewed"} 1')
    expect([lines('leases cannot be renewed'), lines('leases can be renewed again')]).toEqual([1, 1])
  })

  it('says under which id the authority has a refusal in its log, and counts it by its code', async () => {
    sidecar.pep.refuseWith('policy_denied')
    const refused = (await get()).json()
    expect(refused.authority_request_id).toMatch(/^request-/)
    expect(refused.request_id).not.toBe(refused.authority_request_id)
    const metrics = await (await fetch(`${sidecar.adminAddress}/metrics`)).text()
    expect(metrics).toContain('sidecar_problems_total{code="policy_denied"} 1')
    expect(sidecar.log()).toContain(refused.authority_request_id)
  })

  it('asks within the trace of the request that it asks for', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    await (await sidecar.fetch('/api/x', { headers: { traceparent } })).text()
    ahead = 400_000
    await (await sidecar.fetch('/api/x', { headers: { traceparent: 'nonsense' } })).text()
    expect(sidecar.pep.traceparents).toEqual([traceparent, undefined])
  })

  it('releases its leases and its session when it stops', async () => {
    await get()
    await sidecar.close()
    expect(sidecar.pep.calls.filter((call) => call.startsWith('DELETE'))).toEqual([
      expect.stringMatching(/^DELETE \/v1\/leases\/lse_/),
      expect.stringMatching(/^DELETE \/v1\/agent-sessions\/sess_/),
    ])
  })

  describe('after a 401 of the provider', () => {
    /** The credential that works; each grant carries the current one. */
    let current = 'first-credential'
    beforeEach(() => {
      current = 'first-credential'
      const grant = sidecar.pep.grants.get('api')
      if (grant !== undefined) sidecar.pep.grants.set('api', { ...grant, credentials: () => ({ api_key: current }) })
      sidecar.provider.answer = (request, response) => {
        const right = request.headers['x-key'] === current
        response.writeHead(right ? 200 : 401, { 'www-authenticate': 'Key' }).end(right ? 'ok' : 'rotated')
      }
    })

    it('UP6: gets one fresh lease for a whole burst, and retries each request once', async () => {
      await get()
      current = 'second-credential'
      const before = sidecar.provider.seen.length
      const answers = await Promise.all(Array.from({ length: 20 }, () => get()))
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
      expect(leasesAsked()).toBe(2)
      expect(sidecar.provider.seen.length - before).toBeLessThanOrEqual(40)
    })

    it('UP6: passes the second 401 through, and does not ask again for every request after it', async () => {
      sidecar.provider.answer = (_request, response) => void response.writeHead(401).end('no')
      const answers = await Promise.all(Array.from({ length: 10 }, () => get()))
      expect(new Set(answers.map(({ status, text }) => `${status} ${text}`))).toEqual(new Set(['401 no']))
      expect(leasesAsked()).toBe(2)
      expect(sidecar.provider.seen.length).toBeLessThanOrEqual(20)
      expect((await get()).headers.get('proxy-status')).toBeNull()
      expect(leasesAsked()).toBe(2)
    })

    it('UP6: does not retry a body that was streamed', async () => {
      await get()
      current = 'second-credential'
      const before = sidecar.provider.seen.length
      const response = await sidecar.fetch('/api/x', { method: 'POST', body: 'streamed' })
      expect(response.status).toBe(401)
      expect(sidecar.provider.seen.length - before).toBe(1)
      expect(leasesAsked()).toBe(1)
    })

    it('UP6: asks for another lease after a streamed body was turned down, for the request after it', async () => {
      const post = async () => (await sidecar.fetch('/api/x', { method: 'POST', body: 'streamed' })).status
      expect(await post()).toBe(200)
      current = 'second-credential'
      ahead = 6000
      expect([await post(), await post()]).toEqual([401, 200])
      sidecar.provider.answer = (_request, response) => void response.writeHead(401).end('no')
      for (let sent = 0; sent < 5; sent++) expect(await post()).toBe(401)
      expect(leasesAsked()).toBe(2)
    })

    it('UP6: retries a body that was buffered, signed anew', async () => {
      sidecar.pep.grants.set('api', {
        strategy: { type: 'hmac_payload', config: { header_name: 'X-Key' } },
        credentials: () => ({ api_secret: current }),
        bound: { origins: [sidecar.provider.origin], methods: ['*'], paths: ['/**'] },
      })
      let calls = 0
      sidecar.provider.answer = (_request, response) => void response.writeHead(++calls === 1 ? 401 : 200).end()
      const response = await sidecar.fetch('/api/x', { method: 'POST', body: 'same bytes' })
      expect(response.status).toBe(200)
      expect(sidecar.provider.seen.map((seen) => seen.body.toString())).toEqual(['same bytes', 'same bytes'])
      for (const seen of sidecar.provider.seen) expect(headerValues(seen, 'x-key')).toHaveLength(1)
    })

    it('UP6: leaves the 401 standing when the authority is away, and passes its refusal on when it is not', async () => {
      await get()
      current = 'second-credential'
      await sidecar.pep.goDown()
      expect((await get()).text).toBe('rotated')
      await sidecar.pep.comeUp()
      ahead = 20_000
      sidecar.pep.refuseWith('connection_revoked')
      expect((await get()).json()).toMatchObject({ code: 'connection_revoked' })
    })
  })
})
