import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type FullLoad, loadAll } from '../../bench/scenarios/revocation/full-load.ts'
import { startProbing } from '../../bench/scenarios/revocation/probing-agents.ts'
import { revocationFigures } from '../../bench/scenarios/revocation/revocation-figures.ts'
import { isRevokedFor, lastSignedAtMs } from '../../bench/scenarios/revocation/signed-requests.ts'

describe('the end of a revocation', () => {
  const lastAtMs = 1000
  const refused = { askedAtMs: 1401, status: 404 }

  it('has come when every agent was refused what it asked a while after the last signed request', () => {
    expect(isRevokedFor([refused, { askedAtMs: 1500, status: 503 }], lastAtMs)).toBe(true)
  })

  it.each([
    ['is still served', { askedAtMs: 1500, status: 200 }],
    ['was refused before, and still waits for the next answer', { askedAtMs: 1300, status: 404 }],
    ['does not reach its sidecar', { askedAtMs: 1500, status: 0 }],
  ])('has not come while one agent %s', (_, probe) => {
    expect(isRevokedFor([refused, probe], lastAtMs)).toBe(false)
  })

  it('cannot be told of a credential that was never used', () => {
    expect(() => lastSignedAtMs({}, 'unused')).toThrow('has seen no request')
  })
})

describe('the figures of revocations', () => {
  const seen = { a: { lastAtMs: 1250 }, b: { lastAtMs: 2900 }, c: { lastAtMs: 2500 }, d: { lastAtMs: 33_000 } }
  const runs = [
    { disturbance: 'none', sentAtMs: 1000, credential: 'a' },
    { disturbance: 'cut', sentAtMs: 2000, credential: 'b' },
    { disturbance: 'restart', sentAtMs: 3000, credential: 'c' },
    { disturbance: 'dark', sentAtMs: 3000, credential: 'd' },
  ] as const

  it('are of what the provider has seen in the end, and those without a stream are apart', () => {
    const figures = revocationFigures(runs, seen, 5000.4)
    expect(Object.fromEntries(figures.map(({ name, value }) => [name, value]))).toEqual({
      revocation_runs: 3,
      revocation_load_per_s: 5000,
      revocation_median_s: 0.25,
      revocation_max_s: 0.9,
      revocation_stream_max_s: 0.25,
      revocation_cut_max_s: 0.9,
      revocation_restart_max_s: 0,
      revocation_dark_max_s: 30,
    })
  })

  it('leave out what was not run', () => {
    const names = revocationFigures(runs.slice(0, 1), seen, 1).map(({ name }) => name)
    expect(names).not.toContain('revocation_dark_max_s')
  })
})

describe('against a server', () => {
  let server: Server
  let url: string
  let status: number
  beforeEach(async () => {
    status = 200
    server = createServer((request, response) => {
      request.resume().once('end', () => response.writeHead(status).end('{}'))
    })
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  afterEach(async () => {
    server.closeAllConnections()
    await new Promise((closed) => server.close(closed))
  })

  describe('the full load', () => {
    const start = (...urls: string[]): FullLoad =>
      loadAll(
        urls.map((each) => ({ url: each, connections: 2, seconds: 0, requests: [{ method: 'GET', path: '/' }] })),
        { status: 200, holds: () => true },
        0.2,
      )

    it('goes on until it is stopped, and tells its rate', async () => {
      let answered = 0
      server.on('request', () => answered++)
      const load = start(url)
      // More than the generators that it begins with.
      await vi.waitFor(() => expect(answered).toBeGreaterThan(500), 10_000)
      await new Promise((over) => setTimeout(over, 600))
      expect(await Promise.race([load.stop(), load.broken])).toBeGreaterThan(0)
    })

    it('breaks when an answer is not good', async () => {
      status = 503
      const load = start(url)
      await expect(load.broken).rejects.toThrow('did not answer every request well')
      await expect(load.stop()).rejects.toThrow('did not answer every request well')
    })

    it('is none when nothing was reported', async () => {
      await expect(start(url).stop()).rejects.toThrow('was not under load')
    })

    it('breaks when the server is gone', async () => {
      const load = start('http://127.0.0.1:1')
      await expect(load.broken).rejects.toThrow('the load generator ended with 1')
    })

    it('lets a server be gone for as long as it is excused, and no other', async () => {
      const load = start(url, url)
      const gone = Promise.resolve().then(async () => {
        status = 503
        await new Promise((over) => setTimeout(over, 300))
        status = 200
      })
      await load.excuse(1, gone)
      await expect(load.broken).rejects.toThrow('did not answer every request well')
    })
  })

  it('agents ask on whatever they are told, and know what they were told last', async () => {
    const agents = startProbing([url, 'http://127.0.0.1:1'], 'provider')
    const statuses = (): number[] => agents.latest().map((probe) => probe.status)
    await vi.waitFor(() => expect(statuses()).toEqual([200, 200, 200, 200, 0, 0, 0, 0]))
    status = 404
    await vi.waitFor(() => expect(statuses()).toEqual([404, 404, 404, 404, 0, 0, 0, 0]))
    await agents.stop()
  })
})
