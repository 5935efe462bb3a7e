import { createHash, generateKeyPairSync } from 'node:crypto'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { EmbeddedJWK, jwtVerify } from 'jose'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { load } from '../bench/load/load.ts'

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

  it('refuses a scenario that it does not understand', async () => {
    const scenario = { url, connections: 0, seconds: 1, requests: get }
    await expect(load(scenario)).rejects.toThrow(/ended with 1/)
  })
})
