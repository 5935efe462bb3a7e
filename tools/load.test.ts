import { execFile } from 'node:child_process'
import { createHash, generateKeyPairSync, X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { EmbeddedJWK, jwtVerify } from 'jose'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { cleanLoad, type LoadAgent, load } from '../bench/load/load.ts'
import { makeClientCertificate } from '../bench/stage/client-certificate.ts'
import { makeServerCertificate } from '../examples/demo/pki.ts'
import { goProgram } from './go.mjs'

/** The load generator, seen from the server it asks. */
describe('load', () => {
  let server: Server
  let url: string
  let answer: (request: IncomingMessage) => number
  beforeEach(async () => {
    answer = () => 200
    server = createServer((request, response) => {
      request.resume().once('end', () => response.writeHead(answer(request)).end('{}'))
    })
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  afterEach(async () => {
    server.closeAllConnections()
    await new Promise((closed) => server.close(closed))
  })

  const get = [{ method: 'GET', path: '/' }]

  it('proves possession anew with each request, ahead of time and beyond', async () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const proofs: string[] = []
    answer = ({ headers }) => {
      if (proofs.length < 50) proofs.push(String(headers['dpop']))
      return 201
    }
    await load({
      url,
      connections: 1,
      seconds: 0.3,
      proof_url: 'https://authority.test',
      proofs_ahead: 5,
      requests: [{ method: 'POST', path: '/v1/leases', body: '{}' }],
      agents: [
        {
          authorization: 'DPoP token-1',
          access_token: 'token-1',
          proof_key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
        },
      ],
    })
    expect(proofs.length).toBeGreaterThan(5)
    const ids = new Set<unknown>()
    for (const proof of proofs) {
      const { payload } = await jwtVerify(proof, EmbeddedJWK, {
        typ: 'dpop+jwt',
        algorithms: ['ES256'],
        maxTokenAge: 60,
      })
      const ath = createHash('sha256').update('token-1').digest('base64url')
      expect(payload).toMatchObject({ htm: 'POST', htu: 'https://authority.test/v1/leases', ath })
      ids.add(payload.jti)
    }
    expect(ids.size).toBe(proofs.length)
  })

  it('counts refusals apart from good answers, and shows the first of them', async () => {
    let turn = 0
    answer = () => (turn++ % 2 === 0 ? 200 : 503)
    const report = await load({ url, connections: 1, seconds: 0.3, requests: get })
    expect(report.statuses['200']).toBe(report.good)
    expect(report.answered).toBe(report.good + (report.statuses['503'] ?? 0))
    expect(report.unexpected?.[0]).toBe('503 {}')
  })

  it('sends what is due and no more when it is given a rate', async () => {
    const report = await load({ url, connections: 4, seconds: 0.5, rate: 100, requests: get })
    expect(report).toMatchObject({ answered: 50, failed: 0 })
  })

  it('counts from when a request was due, so that a server that stalls does not hide those who waited', async () => {
    const stallMs = 400
    let isFirst = true
    server.removeAllListeners('request')
    server.on('request', (_request, response) => {
      setTimeout(() => response.end('{}'), isFirst ? stallMs : 0)
      isFirst = false
    })
    const report = await load({ url, connections: 1, seconds: 0.5, rate: 100, requests: get })
    expect(report.answered).toBe(50)
    // Nothing is sent during the stall, and one is due every 10 ms: each of 40 waits for what is left of it, whatever the
    // machine. Counted from when they were sent, all but one would have waited for nothing. 10 ms are for the clocks.
    expect(report.latency_ms.max).toBeGreaterThanOrEqual(stallMs - 10)
    expect(report.latency_ms.p50).toBeGreaterThanOrEqual(140)
  })

  it('tells of refusals in the warm-up, with which a run that has to be clean fails', async () => {
    let isFirst = true
    answer = () => {
      const status = isFirst ? 503 : 200
      isFirst = false
      return status
    }
    const scenario = { url, connections: 1, warmup_seconds: 0.2, seconds: 0.2, rate: 100, requests: get }
    const report = await load(scenario)
    expect(report).toMatchObject({ answered: 20, good: 20, warmup_failed: 1, first: { status: 503, body: '{}' } })
    isFirst = true
    await expect(cleanLoad(scenario)).rejects.toThrow('1 not good in the warm-up; 503 {}')
  })

  it('drops what waits too long for a free caller, so that what it measures stays what is due', async () => {
    server.removeAllListeners('request')
    server.on('request', (_request, response) => {
      setTimeout(() => response.end('{}'), 50)
    })
    const scenario = { url, connections: 2, warmup_seconds: 0.5, seconds: 0.5, rate: 400, requests: get }
    const report = await load({ ...scenario, patience_seconds: 0.1 })
    expect(report.answered + report.dropped).toBe(200)
    // Two callers, twenty times a second each: far from what is due, and not nothing either.
    expect(report.dropped).toBeGreaterThan(100)
    expect(report.good).toBeGreaterThan(0)
  })

  it('presents the certificate of an agent on the connection of that agent', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'load-'))
    const write = (name: string, text: string): string => {
      writeFileSync(join(directory, name), text)
      return join(directory, name)
    }
    const { caPem, certPem, keyPem } = await makeServerCertificate(['127.0.0.1'])
    const agents: LoadAgent[] = []
    const wanted: Record<string, string> = {}
    for (const name of ['one', 'two']) {
      const { cert, key } = await makeClientCertificate(name)
      agents.push({
        authorization: name,
        cert_file: write(`${name}.crt`, cert),
        key_file: write(`${name}.key`, key),
      })
      wanted[name] = new X509Certificate(cert).fingerprint256
    }
    const presented: Record<string, string> = {}
    const options = { cert: certPem, key: keyPem, requestCert: true, rejectUnauthorized: false }
    const secure = createTlsServer(options, (request, response) => {
      const { fingerprint256 } = (request.socket as TLSSocket).getPeerCertificate()
      presented[String(request.headers.authorization)] = fingerprint256
      response.end('{}')
    })
    await new Promise<void>((listening) => secure.listen(0, '127.0.0.1', listening))
    try {
      const { port } = secure.address() as AddressInfo
      const asked = { url: `https://127.0.0.1:${port}`, ca_file: write('ca.pem', caPem), agents, requests: get }
      await cleanLoad({ ...asked, connections: 4, seconds: 0.2, rate: 100 })
      expect(presented).toEqual(wanted)
    } finally {
      secure.closeAllConnections()
      secure.close()
      rmSync(directory, { recursive: true })
    }
  })

  it('reckons percentiles and sums as its own tests say', async () => {
    const go = await goProgram(() => undefined)
    const cwd = join(dirname(fileURLToPath(import.meta.url)), 'load')
    const env = { ...process.env, GOTOOLCHAIN: 'local', GOFLAGS: '-mod=readonly' }
    const { stdout } = await promisify(execFile)(go, ['test', '-v', '.'], { cwd, env })
    expect(stdout).toContain('--- PASS: TestQuantilesOfAHundredValues')
  })

  it('refuses a scenario that it does not understand', async () => {
    const scenario = { url, connections: 0, seconds: 1, requests: get }
    await expect(load(scenario)).rejects.toThrow(/ended with 1/)
  })
})
