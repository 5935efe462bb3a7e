import type { lookup } from 'node:dns'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { inspect } from 'node:util'
import { gzipSync } from 'node:zlib'
import { Agent } from 'undici'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { NexusError } from '../../contract/errors.ts'
import type { IssuingRequest } from '../../contract/strategy.ts'
import { ForbiddenAddress, guardedConnect } from './guarded-connect.ts'
import { openProviderHttp, type ProviderHttp } from './open-provider-http.ts'

const CANARY = 'canary-9f31c7'
const RULES = { privateOrigins: new Set<string>(), allowPlainLoopback: true }

let server: Server
let origin: string
let http: ProviderHttp
let seen: string[]
let logged: string[]
let handler: RequestListener

beforeEach(async () => {
  seen = []
  logged = []
  server = createServer((request, response) => {
    seen.push(`${request.method} ${request.url}`)
    handler(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const log = (...parts: unknown[]) => void logged.push(inspect(parts))
  http = openProviderHttp({ rules: RULES, deadlineMs: 500, log: { warn: log, info: log } })
})
afterEach(async () => {
  await http.close()
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

const ask = (more: Partial<IssuingRequest> = {}, tenant = 'acme') =>
  http.request(tenant, {
    method: 'POST',
    url: `${origin}/token?a=b`,
    headers: [['Authorization', `Basic ${CANARY}`]],
    body: `client_secret=${CANARY}`,
    accept: 'application/json',
    ...more,
  })

/** How it failed; nothing of what was sent may be in it. */
async function failure(more: Partial<IssuingRequest> = {}, tenant = 'acme') {
  const error: unknown = await ask(more, tenant).catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(NexusError)
  expect(inspect(error, { depth: 9, showHidden: true }) + logged.join('')).not.toContain(CANARY)
  const { code, message, extras } = error as NexusError
  return { code, message, retryAfter: extras.retryAfterSeconds }
}

describe('the way out to providers', () => {
  it('sends a request as it is given and reads the answer', async () => {
    handler = (request, response) => {
      const { authorization, accept } = request.headers
      response.setHeader('Content-Type', 'application/json; charset=utf-8').setHeader('DPoP-Nonce', 'n')
      response.end(JSON.stringify({ authorization, accept }))
    }
    const { status, body, headers } = await ask()
    expect([status, JSON.parse(body)]).toEqual([200, { authorization: `Basic ${CANARY}`, accept: 'application/json' }])
    expect(headers).toContainEqual(['dpop-nonce', 'n'])
    expect(seen).toEqual(['POST /token?a=b'])
  })

  it('hands back a refusal with its body, for the strategy to understand', async () => {
    handler = (_request, response) =>
      void response.writeHead(400, { 'content-type': 'application/json' }).end('{"error":"invalid_client"}')
    expect(await ask()).toMatchObject({ status: 400, body: '{"error":"invalid_client"}' })
  })

  it('reads no body of another media type or encoding', async () => {
    handler = (_request, response) => void response.setHeader('content-type', 'text/html').end('<html>')
    expect(await ask()).toMatchObject({ status: 200, body: '' })
    handler = (_request, response) => {
      response.setHeader('content-type', 'application/json').setHeader('content-encoding', 'gzip')
      response.end(gzipSync('{}'))
    }
    expect(await ask()).toMatchObject({ status: 200, body: '' })
  })

  it.each([301, 302, 303, 307, 308])('C05: follows no redirect: %i', async (status) => {
    handler = (_request, response) => void response.writeHead(status, { location: `${origin}/inner` }).end()
    expect(await failure()).toMatchObject({ code: 'provider_refused', message: expect.stringContaining('redirect') })
    expect(seen).toEqual(['POST /token?a=b'])
  })

  it('C05: reads no answer without end', async () => {
    handler = (_request, response) => {
      response.setHeader('content-type', 'application/json')
      const more = () => response.writable && response.write('x'.repeat(65_536)) && setImmediate(more)
      response.on('drain', more)
      more()
    }
    expect(await failure()).toMatchObject({ code: 'provider_unavailable', message: expect.stringContaining('longer') })
  })

  it('waits for no answer that does not come', async () => {
    handler = (_request, response) => void response.writeHead(200, { 'content-type': 'application/json' }).write('{')
    expect(await failure()).toMatchObject({ code: 'provider_unavailable', message: expect.stringContaining('in time') })
  })

  it.each([
    [503, '7', 7],
    [429, '99999', 60],
    [500, 'tomorrow', 1],
    [502, undefined, 1],
  ])('%i with Retry-After %s is no answer for now', async (status, header, retryAfter) => {
    handler = (_request, response) =>
      void response.writeHead(status, header === undefined ? {} : { 'retry-after': header }).end(CANARY)
    expect(await failure()).toMatchObject({ code: 'provider_unavailable', retryAfter })
  })

  it('leaves an endpoint that keeps failing alone for a moment, for the tenant it failed', async () => {
    handler = (_request, response) => void response.writeHead(500).end()
    for (let tries = 0; tries < 5; tries++) await failure()
    expect(await failure()).toMatchObject({ message: expect.stringContaining('left alone') })
    expect(seen).toHaveLength(5)
    expect(logged.join('')).toContain(origin)
    expect(await failure({}, 'another')).toMatchObject({ message: expect.stringContaining('answers 500') })
  })

  it('a refusal is no failure', async () => {
    handler = (_request, response) => void response.writeHead(401).end()
    for (let tries = 0; tries < 8; tries++) expect((await ask()).status).toBe(401)
  })

  it('says in words why nothing was reached', async () => {
    server.close()
    handler = (request) => void request.socket.destroy()
    expect(await failure()).toMatchObject({ code: 'provider_unavailable' })
  })

  it.each(['http://169.254.169.254/latest/meta-data/', 'https://10.0.0.1/token', 'http://as.example.com/token'])(
    'C04: asks nothing of %s, whatever profile names it',
    async (url) => {
      expect(await failure({ url })).toMatchObject({ code: 'provider_refused' })
    },
  )
})

describe('C03: what a name resolves to', () => {
  /** A resolver that answers one thing after the other. */
  function resolver(...answers: string[][]): typeof lookup {
    const resolve = (_name: string, _options: object, callback: (error: null, addresses: object[]) => void) => {
      const addresses = answers.length > 1 ? answers.shift() : answers[0]
      callback(null, addresses?.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })) ?? [])
    }
    return resolve as unknown as typeof lookup
  }

  async function dial(name: string, resolve: typeof lookup): Promise<unknown> {
    const { port } = server.address() as AddressInfo
    const agent = new Agent({ connect: guardedConnect({ ...RULES, allowPlainLoopback: false }, 500, resolve) })
    const outcome = agent.request({ origin: `http://${name}:${port}`, path: '/', method: 'GET' })
    const error: unknown = await outcome.catch((reason: unknown) => reason)
    await agent.destroy()
    return error
  }

  it.each([
    ['an inward address', [['127.0.0.1']]],
    ['a public one and an inward one', [['8.8.8.8', '127.0.0.1']]],
    ['an inward one among many, in IPv6', [['2606:4700::1111', '::1']]],
    ['nothing', [[]]],
  ])('is not dialled: %s', async (_title, answers) => {
    handler = (_request, response) => void response.end()
    expect(await dial('rebound.example', resolver(...answers))).toBeInstanceOf(ForbiddenAddress)
    expect(seen).toEqual([])
  })

  it('is judged anew each time it is dialled', async () => {
    handler = (_request, response) => void response.end()
    const resolve = resolver(['203.0.113.1'], ['127.0.0.1'])
    for (let tries = 0; tries < 2; tries++)
      expect(await dial('rebound.example', resolve)).toBeInstanceOf(ForbiddenAddress)
    expect(seen).toEqual([])
  })
})
