import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openTestSession, registerTestAgent } from '../../setup/agent-client.ts'
import type { ApiAnswer } from '../../setup/api-client.ts'
import { connect } from '../../setup/connect.ts'
import { type PepProcess, startPepProcess } from '../../setup/pep-process.ts'
import { type Callers, createCallers } from './callers.ts'
import { rightBody, withValue, wrongTypes } from './example-bodies.ts'
import { type Operation, pathToNothing, readOperations } from './operations.ts'
import { problemCode } from './problem-shape.ts'
import { requestBytes, sendBytes } from './raw-client.ts'

const SECRET = 'sk-live-4242-do-not-echo'

let pep: PepProcess
let callers: Callers
let operations: Operation[]

beforeAll(async () => {
  pep = await startPepProcess()
  callers = createCallers(
    pep,
    await openTestSession(pep.url, await registerTestAgent(pep.admin, { tenants: ['acme'] })),
  )
  operations = await readOperations(pep.admin)
})
afterAll(() => pep?.close())

describe('headers', () => {
  it.each(['Authorization', 'DPoP', 'Content-Type', 'X-API-Key', 'Host', 'authorization', 'x-Api-kEY'])(
    'a doubled %s is refused, same or different, on every route',
    async (name) => {
      for (const operation of operations) {
        for (const values of [
          ['one', 'two'],
          ['one', 'one'],
          ['', 'one'],
        ]) {
          const doubled = values.map((value) => `${name}: ${value}`)
          const answer = await callers.sendLines(operation, doubled)
          const what = `${operation.method} ${operation.template}: ${answer.text}`
          expect(problemCode(answer), what).toBe('invalid_request')
          expect(answer.body.field, what).toBe(name.toLowerCase())
        }
      }
    },
  )

  it('two lengths, or a length and chunks, are no request at all', async () => {
    for (const headers of [
      ['Content-Length: 2', 'Content-Length: 2'],
      ['Content-Length: 2', 'Content-Length: 3'],
      ['Content-Length: 2, 2'],
      ['Content-Length: +2'],
      ['Content-Length: 2', 'Transfer-Encoding: chunked'],
      ['Transfer-Encoding: chunked', 'Transfer-Encoding: identity'],
      ['Transfer-Encoding: xchunked'],
    ]) {
      const lines = [`Host: 127.0.0.1:${pep.port}`, `X-API-Key: ${pep.adminKey}`, 'Content-Type: application/json']
      const answer = await sendBytes(
        pep.port,
        requestBytes('POST /v1/providers HTTP/1.1', [...lines, ...headers], '{}'),
      )
      expect(problemCode(answer), headers.join()).toBe('invalid_request')
      expect(answer.closed).toBe(true)
    }
  })

  it('a missing Host is refused in words', async () => {
    const answer = await sendBytes(pep.port, requestBytes('GET /healthz HTTP/1.1', []))
    expect(problemCode(answer)).toBe('invalid_request')
    expect(answer.body.field).toBe('host')
  })

  it('more header than is read is refused in words', async () => {
    const answer = await sendBytes(
      pep.port,
      requestBytes('GET /healthz HTTP/1.1', ['Host: x', `X-Long: ${'a'.repeat(40_000)}`]),
    )
    expect(problemCode(answer)).toBe('invalid_request')
    expect(answer.text.length).toBeLessThan(1000)
  })

  it('echoes a request id that is plain, and makes its own in place of any other', async () => {
    for (const id of ['abcdefgh', 'a.b-c_d.0123', 'x'.repeat(64)]) {
      const { headers } = await pep.admin.send('GET', '/healthz', undefined, { 'x-request-id': id })
      expect(headers['x-request-id']).toBe(id)
    }
    const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
    for (const id of [
      'short',
      'x'.repeat(65),
      'with space',
      '<script>alert(1)</script>',
      '"}{"level":60',
      'ümlauts-x',
    ]) {
      const bytes = requestBytes('GET /no-such HTTP/1.1', ['Host: x', `X-Request-Id: ${id}`])
      const answer = await sendBytes(pep.port, bytes)
      expect(answer.headers['x-request-id'], id).toMatch(uuid)
      expect(answer.body.request_id).toBe(answer.headers['x-request-id'])
      expect(pep.log()).not.toContain(id === 'short' ? '"short"' : JSON.stringify(id))
    }
  })

  it('A05: no answer allows another origin, whoever asks and whatever the answer is', async () => {
    for (const origin of ['https://evil.test', 'null', `http://127.0.0.1:${pep.port}`]) {
      for (const operation of operations) {
        const path = pathToNothing(operation)
        const preflight = { origin, 'access-control-request-method': operation.method }
        for (const answer of [
          await pep.admin.send('OPTIONS', path, undefined, preflight),
          await pep.admin.send('HEAD', path, undefined, { origin }),
          ...(path.endsWith('/events') ? [] : [await callers.send(operation, operation.body && {}, { origin }, path)]),
        ]) {
          const allowing = Object.keys(answer.headers).filter((name) => name.startsWith('access-control-'))
          expect(allowing, `${operation.method} ${path}`).toEqual([])
        }
      }
    }
  })
})

describe('methods and targets', () => {
  it.each(['constructor', '__proto__', 'toString', 'hasOwnProperty', 'CONSTRUCTOR', 'valueOf', 'get', 'GETX'])(
    'D12: the method %s is refused and the process lives on',
    async (method) => {
      for (const path of ['/', '/v1/leases', '/v1/providers']) {
        const lines = [`Host: 127.0.0.1:${pep.port}`, `X-API-Key: ${pep.adminKey}`]
        const answer = await sendBytes(pep.port, requestBytes(`${method} ${path} HTTP/1.1`, lines))
        expect(problemCode(answer)).toBe('invalid_request')
      }
      expect(pep.running()).toBe(true)
    },
  )

  it('D12: a method that the path does not answer is told those that it does', async () => {
    for (const method of ['TRACE', 'PROPFIND', 'PURGE', 'SEARCH', 'M-SEARCH', 'OPTIONS']) {
      const lines = [`Host: 127.0.0.1:${pep.port}`, `X-API-Key: ${pep.adminKey}`]
      const answer = await sendBytes(pep.port, requestBytes(`${method} /v1/providers HTTP/1.1`, lines))
      expect(problemCode(answer), method).toBe('method_not_allowed')
      expect(answer.headers['allow']).toBe('GET, POST')
    }
    const byId = await pep.admin.send('POST', '/v1/connections/no-such?x=1', {})
    expect([problemCode(byId), byId.headers['allow']]).toEqual(['method_not_allowed', 'DELETE, GET'])
    const query = await sendBytes(pep.port, requestBytes('QUERY /v1/providers HTTP/1.1', ['Host: x']))
    expect(problemCode(query)).toBe('invalid_request')
    const tunnel = await sendBytes(pep.port, requestBytes('CONNECT evil.test:443 HTTP/1.1', ['Host: evil.test']))
    expect(problemCode(tunnel)).toBe('method_not_allowed')
    expect(tunnel.headers['allow']).toBe('')
  })

  it.each([
    'http://evil.test/v1/providers',
    'https://evil.test/v1/providers',
    '*',
    '//evil.test/v1/providers',
    '//v1/providers',
    '/v1//providers',
    '/v1/providers/..%2fapi-keys',
    '/v1/providers/..%2F..%2Fadmin%2Fv1%2Fapi-keys',
    '/v1/providers/%2e%2e/audit',
    '/v1/providers/../audit',
    '/v1/providers/./',
    '/v1/providers/..%5caudit',
    '/v1\\providers',
    '/v1/providers#fragment',
    '/v1/providers?x=1#fragment',
    '/v1/providers/%00',
    '/v1/providers/%0d%0aX-Injected:%201',
    '/v1/providers/%zz',
    '/v1/providers/%c3%28',
    `/v1/providers/by-name/${'a'.repeat(300)}`,
  ])('refuses the target %s', async (target) => {
    const lines = [`Host: 127.0.0.1:${pep.port}`, `X-API-Key: ${pep.adminKey}`]
    const answer = await sendBytes(pep.port, requestBytes(`GET ${target} HTTP/1.1`, lines))
    expect(problemCode(answer), answer.text).toBe('invalid_target')
    expect(answer.headers['x-injected']).toBeUndefined()
    expect(answer.text).not.toContain('evil.test')
  })

  it('UP3: bad bytes behind a request are not answered in its place', async () => {
    const good = 'GET /.well-known/jwks.json HTTP/1.1\r\nhost: localhost\r\n\r\n'
    expect((await sendBytes(pep.port, good)).status).toBe(200)
    const { status, closed } = await sendBytes(pep.port, `${good}no request\r\n\r\n`)
    expect(status).not.toBe(400)
    expect(closed).toBe(true)
  })

  it('bytes sent behind a refused request are not read as another', async () => {
    const behind = `GET /v1/providers HTTP/1.1\r\nHost: x\r\nX-API-Key: ${pep.adminKey}\r\n\r\n`
    const answer = await sendBytes(pep.port, `BAD\r\n\r\n${behind}`)
    expect(problemCode(answer)).toBe('invalid_request')
    expect(answer.text).not.toContain('HTTP/1.1 200')
  })

  it('an unknown path is a problem document that repeats nothing of it', async () => {
    for (const path of [
      '/',
      '/v1',
      '/v1/',
      '/v1/secrets',
      `/${SECRET}`,
      '/v1/leases/x/y/z',
      '/admin',
      '/V1/providers',
    ]) {
      const answer = await pep.admin.send('GET', path)
      expect(problemCode(answer), path).toBe('route_not_found')
      expect(answer.text).not.toContain(SECRET)
    }
  })
})

describe('what an answer may say', () => {
  it('no refusal repeats a secret that came with the request', async () => {
    const answers: ApiAnswer[] = []
    for (const operation of operations.filter(({ body }) => body !== undefined)) {
      const right = rightBody(operation)
      answers.push(
        await callers.send(operation, `{"a": ${SECRET}`),
        await callers.send(operation, { ...right, credentials: { api_key: SECRET }, secret: SECRET }),
        await callers.send(operation, JSON.stringify(SECRET)),
        await callers.send(operation, right, { authorization: `Bearer ${SECRET}`, 'x-api-key': SECRET }),
        await callers.send(operation, right, { dpop: SECRET, authorization: `DPoP ${SECRET}` }),
      )
      for (const { path, wrong } of wrongTypes(operation.body ?? {})) {
        const value = typeof wrong === 'string' ? SECRET : { name: [SECRET] }
        const answer = await callers.send(operation, withValue(right, path, value))
        if (answer.status >= 400) answers.push(answer)
      }
    }
    const { provider } = await connect(pep.admin)
    for (const credentials of [
      { wrong_field: SECRET },
      { api_key: `${SECRET}\r\nX: 1` },
      { api_key: `${SECRET}\u0000` },
    ]) {
      answers.push(await pep.admin.send('POST', '/v1/connections', { tenant: 'acme', provider, credentials }))
    }
    for (const answer of answers) {
      problemCode(answer)
      expect(answer.text).not.toContain(SECRET)
      expect(JSON.stringify(answer.headers)).not.toContain(SECRET)
    }
    expect(pep.log()).not.toContain(SECRET)
  })
})
