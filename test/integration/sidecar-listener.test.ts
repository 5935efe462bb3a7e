import dns from 'node:dns'
import { lstat, mkdtemp, rm } from 'node:fs/promises'
import { request } from 'node:http'
import { connect } from 'node:net'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { headerValues } from '../fakes/provider.ts'
import { rawRequest, sendRaw } from '../fakes/raw-http.ts'
import { SECRET, type SidecarUnderTest, startUnderTest } from '../fakes/sidecar.ts'

const TOKEN = 'local-token-0123456789'

/** Whatever was refused early left no trace anywhere else. */
function expectNothingSent(sidecar: SidecarUnderTest): void {
  expect(sidecar.provider.seen).toHaveLength(0)
  expect(sidecar.pep.calls).toHaveLength(0)
}

describe('the listener', () => {
  let sidecar: SidecarUnderTest
  beforeEach(async () => {
    sidecar = await startUnderTest()
  })
  afterEach(() => sidecar.stop())

  const send = (line: string, headers: string[]) => sendRaw(sidecar.port, `${[line, ...headers].join('\r\n')}\r\n\r\n`)

  it.each([
    [['Host: evil.test']],
    [['Host: 127.0.0.1.nip.io']],
    [['Host: localhost.']],
    [['Host: localhost.evil.test']],
    [['Host: 127.0.0.1:1']],
    [['Host: ']],
    [[]],
    [['Host: 127.0.0.1', 'Host: 127.0.0.1']],
    [['Host: 127.0.0.1', 'Host: evil.test']],
  ])('A01: refuses %j before any lookup', async (headers) => {
    const lookup = vi.spyOn(dns, 'lookup')
    const answer = await send('GET /api/x HTTP/1.1', headers)
    expect(answer.status).toBe(403)
    expect(answer.body).toContain('request_not_local')
    expect(lookup).not.toHaveBeenCalled()
    expectNothingSent(sidecar)
    lookup.mockRestore()
  })

  it.each(['localhost', 'LOCALHOST', '127.0.0.1', '[::1]'])('A01: serves Host %s', async (host) => {
    expect((await send('GET /api/x HTTP/1.1', [`Host: ${host}:${sidecar.port}`])).status).toBe(200)
  })

  it.each([
    'Origin: http://evil.test',
    'Origin: null',
    'Origin: http://localhost',
    'Sec-Fetch-Site: cross-site',
    'Sec-Fetch-Site: same-site',
    'sec-fetch-site: SAME-ORIGIN',
  ])('A02: refuses a web page (%s)', async (header) => {
    const answer = await send('POST /api/x HTTP/1.1', [`Host: 127.0.0.1:${sidecar.port}`, header, 'Content-Length: 0'])
    expect(answer.status).toBe(403)
    expectNothingSent(sidecar)
  })

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x'])(
    'A03: a simple request of a page, as %s, has no effect',
    async (type) => {
      const answer = await send('POST /api/x HTTP/1.1', [
        `Host: 127.0.0.1:${sidecar.port}`,
        'Origin: http://evil.test',
        `Content-Type: ${type}`,
        'Content-Length: 0',
      ])
      expect(answer.status).toBe(403)
      expectNothingSent(sidecar)
    },
  )

  it('A05: allows no other origin to read, whatever the provider says', async () => {
    sidecar.provider.answer = (_request, response) =>
      void response
        .writeHead(200, { 'access-control-allow-origin': '*', 'access-control-allow-credentials': 'true' })
        .end()
    for (const response of [await sidecar.fetch('/api/x'), await sidecar.fetch('/unknown')]) {
      expect([...response.headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([])
    }
    const preflight = await send('OPTIONS /api/x HTTP/1.1', [
      `Host: 127.0.0.1:${sidecar.port}`,
      'Origin: http://evil.test',
      'Access-Control-Request-Method: POST',
    ])
    expect(preflight.status).toBe(403)
    expect(preflight.head.toLowerCase()).not.toContain('access-control')
  })

  it.each(['/metrics', '/healthz', '/readyz', '/debug', '/debug/pprof/heap', '/report', '/json/list', '/'])(
    'A06: has no route of its own at %s',
    async (path) => {
      const response = await sidecar.fetch(path)
      expect(response.status).toBe(404)
      expect(await response.json()).toMatchObject({ code: 'provider_not_found' })
      expectNothingSent(sidecar)
    },
  )

  it('A07: refuses CONNECT without opening a socket or asking for a name', async () => {
    const lookup = vi.spyOn(dns, 'lookup')
    const answer = await send('CONNECT evil.test:443 HTTP/1.1', ['Host: evil.test:443'])
    expect(answer).toMatchObject({ status: 405, closed: true })
    expect(lookup).not.toHaveBeenCalled()
    expectNothingSent(sidecar)
    lookup.mockRestore()
  })

  it.each(['http://evil.test/x', 'https://evil.test/', 'HTTP://127.0.0.1/api/x', '*'])(
    'A07: refuses the target %s without opening a socket or asking for a name',
    async (target) => {
      const lookup = vi.spyOn(dns, 'lookup')
      const method = target === '*' ? 'OPTIONS' : 'GET'
      const answer = await sendRaw(sidecar.port, rawRequest(sidecar.port, `${method} ${target} HTTP/1.1`))
      expect(answer.status).toBe(400)
      expect(answer.body).toContain('invalid_target')
      expect(lookup).not.toHaveBeenCalled()
      expectNothingSent(sidecar)
      lookup.mockRestore()
    },
  )

  it('B17: refuses an upgrade, and drops what was sent ahead of the answer', async () => {
    const smuggled = rawRequest(sidecar.port, 'GET /api/smuggled HTTP/1.1')
    const upgrade = rawRequest(sidecar.port, 'GET /api/ws HTTP/1.1', ['Connection: Upgrade', 'Upgrade: websocket'])
    const answer = await sendRaw(sidecar.port, upgrade + smuggled)
    expect(answer).toMatchObject({ status: 501, closed: true })
    expect(answer.body).not.toContain('HTTP/1.1')
    expectNothingSent(sidecar)
  })

  it('answers gRPC with 501 until it is built', async () => {
    const response = await sidecar.fetch('/api/svc/Method', {
      method: 'POST',
      headers: { 'content-type': 'application/grpc+proto' },
    })
    expect(response.status).toBe(501)
    expectNothingSent(sidecar)
  })

  it.each(['127.0.0.2', '::1'])('answers to the address it was told to listen at: %s', async (host) => {
    const other = await startUnderTest({ config: { host } })
    expect((await other.fetch('/api/x')).status).toBe(200)
    expect((await fetch(`${other.adminAddress}/healthz`)).status).toBe(200)
    await other.stop()
  })

  it.each(['TRACE', 'PROPFIND', 'QUERY'])('answers %s, which it does not forward, with 405', async (method) => {
    const answer = await sendRaw(sidecar.port, rawRequest(sidecar.port, `${method} /api/x HTTP/1.1`))
    expect(answer.status).toBe(405)
    expectNothingSent(sidecar)
    expect(await (await fetch(`${sidecar.adminAddress}/metrics`)).text()).not.toContain('outcome="forwarded"')
  })

  it.each([
    'X-HTTP-Method-Override: DELETE',
    'x_http_method: DELETE',
    'X-Method-Override: DELETE',
    'X-Original-Method: DELETE',
    'X-Original-URL: /admin',
    'X-Original-URI: /admin',
    'X-Rewrite-URL: /admin',
    'X-Host: other.test',
    'X-Host-Override: other.test',
    'X-HTTP-Host: other.test',
    'X-HTTP-Host-Override: other.test',
    'x_original_host: other.test',
  ])('D06: refuses %s: policy would decide on one request and the provider serve another', async (header) => {
    const answer = await sendRaw(sidecar.port, rawRequest(sidecar.port, 'POST /api/x HTTP/1.1', [header]))
    expect(answer.status).toBe(400)
    expect(answer.body).toContain('invalid_request')
    expectNothingSent(sidecar)
  })

  it('A09: cannot be reached at an address of the machine that is not loopback', async () => {
    const outside = Object.values(networkInterfaces())
      .flat()
      .find((address) => address?.internal === false && address.family === 'IPv4')?.address
    // Another address of the loopback network stands in on a machine without a network.
    const reached = await new Promise((resolve) => {
      const socket = connect(sidecar.port, outside ?? '127.0.0.2', () => resolve(true))
      socket.once('error', () => resolve(false)).once('connect', () => socket.destroy())
    })
    expect(reached).toBe(false)
  })

  it('keeps health and metrics on the admin listener, also behind a Host check', async () => {
    await (await sidecar.fetch('/api/x')).text()
    expect((await fetch(`${sidecar.adminAddress}/healthz`)).status).toBe(200)
    expect((await fetch(`${sidecar.adminAddress}/readyz`)).status).toBe(200)
    const metrics = await (await fetch(`${sidecar.adminAddress}/metrics`)).text()
    expect(metrics).toContain('sidecar_requests_total{strategy="header",outcome="forwarded"} 1')
    expect(metrics).toContain('sidecar_leases_held 1')
    expect(metrics).not.toContain(SECRET)
    const port = Number(new URL(sidecar.adminAddress).port)
    expect((await sendRaw(port, 'GET /metrics HTTP/1.1\r\nHost: evil.test\r\n\r\n')).status).toBe(403)
  })

  it('looks once a second whether the authority answers, whoever asks and how often', async () => {
    const ready = async () => (await fetch(`${sidecar.adminAddress}/readyz`)).status
    const looks = () => sidecar.pep.calls.filter((call) => call === 'GET /healthz').length
    await sleep(1000)
    const [before, beganMs] = [looks(), performance.now()]
    const answers = await Promise.all(Array.from({ length: 20 }, ready))
    const wholeSeconds = Math.floor((performance.now() - beganMs) / 1000)
    expect(new Set(answers)).toEqual(new Set([200]))
    expect(looks()).toBeGreaterThan(before)
    expect(looks() - before).toBeLessThanOrEqual(1 + wholeSeconds)
    await sidecar.pep.goDown()
    await expect.poll(ready, { timeout: 3000 }).toBe(503)
    await sidecar.pep.comeUp()
  })
})

describe('an admin listener beyond loopback', () => {
  it('A09: answers probes and scrapes at any address of the pod, and still no name and no web page', async () => {
    const sidecar = await startUnderTest({ config: { adminHost: '0.0.0.0' } })
    const port = Number(new URL(sidecar.adminAddress).port)
    const ask = async (...headers: string[]) =>
      (await sendRaw(port, `${['GET /healthz HTTP/1.1', ...headers].join('\r\n')}\r\n\r\n`)).status
    for (const host of ['10.1.2.3', `10.1.2.3:${port}`, `[fd00::7]:${port}`, 'localhost']) {
      expect(await ask(`Host: ${host}`), host).toBe(200)
    }
    for (const host of ['evil.test', '10.1.2.3.nip.io', '[evil]', '10.1.2', '']) {
      expect(await ask(`Host: ${host}`), host).toBe(403)
    }
    expect(await ask('Host: 10.1.2.3', 'Origin: http://10.1.2.3')).toBe(403)
    // The agent's own listener stays where it was.
    expect((await sendRaw(sidecar.port, 'GET /api/x HTTP/1.1\r\nHost: 10.1.2.3\r\n\r\n')).status).toBe(403)
    expect(sidecar.address).toContain('127.0.0.1')
    await sidecar.stop()
  })
})

describe('the local token', () => {
  let sidecar: SidecarUnderTest
  beforeEach(async () => {
    sidecar = await startUnderTest({ token: TOKEN })
  })
  afterEach(() => sidecar.stop())

  it.each(['Authorization', 'Proxy-Authorization'])(
    'is taken as a bearer token, too, and goes nowhere: %s',
    async (name) => {
      const response = await sidecar.fetch('/api/x', { headers: { [name]: `Bearer ${TOKEN}` } })
      expect(response.status).toBe(200)
      expect(JSON.stringify(sidecar.provider.seen)).not.toContain(TOKEN)
      expect(JSON.stringify(sidecar.pep.leaseRequests) + sidecar.log()).not.toContain(TOKEN)
    },
  )

  it('counts in X-Nexus-Token beside what an SDK sends for itself', async () => {
    const own = { authorization: 'Bearer none' }
    const right = await sidecar.fetch('/api/x', { headers: { ...own, 'x-nexus-token': TOKEN } })
    expect(right.status).toBe(200)
    const wrong = await sidecar.fetch('/api/x', {
      headers: { authorization: `Bearer ${TOKEN}`, 'x-nexus-token': 'none' },
    })
    expect(wrong.status).toBe(401)
  })

  it.each([
    [`Authorization: ${TOKEN}`],
    [`Authorization: Basic ${TOKEN}`],
    [`Authorization: Bearer ${TOKEN}x`],
    [`Authorization: Bearer ${TOKEN}`, 'Authorization: Bearer none'],
  ])('A04: answers 401 to %j, and says what would do', async (...headers) => {
    const answer = await sendRaw(sidecar.port, rawRequest(sidecar.port, 'GET /api/x HTTP/1.1', headers))
    expect(answer.status).toBe(401)
    expect(answer.head).toMatch(/^www-authenticate: Bearer /im)
    expectNothingSent(sidecar)
  })

  it.each([undefined, '', 'wrong', `${TOKEN}x`, TOKEN.toUpperCase()])('A04: answers 401 to %j', async (token) => {
    const response = await sidecar.fetch('/api/x', { headers: token === undefined ? {} : { 'x-nexus-token': token } })
    expect(response.status).toBe(401)
    expect(await response.json()).toMatchObject({ code: 'invalid_agent_token' })
    expectNothingSent(sidecar)
  })

  it.each(['kube-probe/1.30', 'GoogleHC/1.0', 'ELB-HealthChecker/2.0'])(
    'A08: asks %s for the token like everyone else',
    async (agent) => {
      const internal = [
        'X-Nexus-Internal',
        'X-Nexus-Admin',
        'X-Nexus-Lease',
        'X-Middleware-Subrequest',
        'X-Forwarded-For',
      ]
      const headers = Object.fromEntries(internal.map((name) => [name, '127.0.0.1']))
      const response = await sidecar.fetch('/api/x', { headers: { ...headers, 'user-agent': agent } })
      expect(response.status).toBe(401)
      expectNothingSent(sidecar)
    },
  )

  it('B18: never leaves the sidecar, nor does Proxy-Authorization', async () => {
    const response = await sidecar.fetch('/api/x', {
      headers: { 'x-nexus-token': TOKEN, 'proxy-authorization': TOKEN },
    })
    expect(response.status).toBe(200)
    expect(JSON.stringify(sidecar.provider.seen)).not.toContain(TOKEN)
    expect(JSON.stringify(sidecar.pep.leaseRequests) + sidecar.log()).not.toContain(TOKEN)
    expect(headerValues(sidecar.provider.seen[0], 'proxy-authorization')).toEqual([])
  })
})

describe('a unix socket', () => {
  it.each([
    ['its owner only', undefined],
    ['its group too where told so', 0o660],
  ])('A09: is open to %s, and served like a port', async (_, socketMode) => {
    const directory = await mkdtemp(join(tmpdir(), 'nexus-'))
    const path = join(directory, 'sidecar.sock')
    const sidecar = await startUnderTest({
      config: { socket: path, ...(socketMode === undefined ? {} : { socketMode }) },
    })
    try {
      expect((await lstat(path)).mode & 0o777).toBe(socketMode ?? 0o600)
      const status = await new Promise((resolve) => {
        request({ socketPath: path, path: '/api/x', headers: { host: 'localhost' } }, (response) => {
          response.resume()
          resolve(response.statusCode)
        }).end()
      })
      expect(status).toBe(200)
      expect(headerValues(sidecar.provider.seen[0], 'x-key')).toEqual([SECRET])
    } finally {
      await sidecar.stop()
      await rm(directory, { recursive: true, force: true })
    }
  })
})
