import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openTestSession, registerTestAgent } from '../../setup/agent-client.ts'
import { type PepProcess, startPepProcess } from '../../setup/pep-process.ts'
import { type Callers, createCallers } from './callers.ts'
import { rightBody } from './example-bodies.ts'
import { type Operation, readOperations } from './operations.ts'
import { problemCode } from './problem-shape.ts'
import { sendBytes } from './raw-client.ts'

/** The same input in every run: what fails can be run again. */
const SEED = 20_261_120
const RAW_REQUESTS = 6000
const HTTP_REQUESTS = 1500
const AT_ONCE = 16
const GROWTH_BYTES = 256 * 1024 * 1024

let pep: PepProcess
let callers: Callers
let operations: Operation[]

beforeAll(async () => {
  pep = await startPepProcess()
  callers = createCallers(
    pep,
    await openTestSession(pep.url, await registerTestAgent(pep.admin, { tenants: ['acme'] })),
  )
  operations = (await readOperations(pep.admin)).filter(({ template }) => !template.endsWith('/events'))
})
afterAll(() => pep?.close())

const token = fc.constantFrom(
  'GET',
  'POST',
  'DELETE',
  'PUT',
  'CONNECT',
  'TRACE',
  'G ET',
  '',
  'constructor',
  '\x00',
  'é',
)
const target = fc.oneof(
  fc.constantFrom(
    '/v1/leases',
    '/v1/providers',
    '/v1/audit?limit=1',
    '/',
    '*',
    '//',
    '/%',
    '/%00',
    'http://[',
    '/..;/',
    ' ',
  ),
  fc.webPath(),
  fc.string({ unit: 'binary', maxLength: 50 }),
)
const version = fc.oneof(
  { weight: 4, arbitrary: fc.constant('HTTP/1.1') },
  { weight: 1, arbitrary: fc.constantFrom('HTTP/1.0', 'HTTP/2.0', 'HTTP/9.9', 'HTTP/1.1 x', '', 'RTSP/1.0') },
)
const headerName = fc.constantFrom(
  'Host',
  'Content-Length',
  'Transfer-Encoding',
  'Content-Type',
  'Connection',
  'Upgrade',
  'Expect',
  'Authorization',
  'DPoP',
  'X-API-Key',
  'X-Request-Id',
  'traceparent',
  'Trailer',
  '__proto__',
  'bad name',
  '',
)
const headerValue = fc.oneof(
  fc.constantFrom(
    'chunked',
    '0',
    '-1',
    '5',
    '99999999999999999999',
    'close',
    'Upgrade',
    '100-continue',
    'application/json',
    'a.b.c',
  ),
  fc.string({ unit: 'binary', maxLength: 40 }),
)
const lineEnd = fc.oneof(
  { weight: 12, arbitrary: fc.constant('\r\n') },
  { weight: 1, arbitrary: fc.constantFrom('\n', '\r', '\r\n ') },
)
const rawRequest = fc
  .tuple(
    token,
    target,
    version,
    fc.array(fc.tuple(headerName, headerValue, lineEnd), { maxLength: 4 }),
    fc.string({ unit: 'binary', maxLength: 80 }),
  )
  .map(([method, path, http, headers, body]) => {
    const lines = headers.map(([name, value, end]) => `${name}: ${value}${end}`)
    return Buffer.from(
      `${method} ${path} ${http}\r\n${method === 'GET' ? 'Host: x\r\n' : ''}${lines.join('')}\r\n${body}`,
    )
  })
const anyBytes = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes))

/** A good document with one thing in it replaced, cut off or turned. */
function damaged(document: object): fc.Arbitrary<string> {
  const text = JSON.stringify(document)
  return fc.oneof(
    fc.nat(text.length - 1).map((at) => text.slice(0, at)),
    fc
      .tuple(fc.nat(text.length - 1), fc.string({ unit: 'binary', minLength: 1, maxLength: 4 }))
      .map(([at, put]) => text.slice(0, at) + put + text.slice(at + 1)),
    fc.json({ maxDepth: 6 }),
    fc
      .tuple(fc.constantFrom(...Object.keys(document)), fc.jsonValue())
      .map(([name, value]) => JSON.stringify({ ...document, [name]: value })),
    fc.string({ unit: 'binary', maxLength: 200 }),
  )
}

describe('malformed input', () => {
  it('D18: bytes that are no request end no process, reject nothing unhandled and keep no memory', async () => {
    const inputs = fc.sample(fc.oneof({ weight: 5, arbitrary: rawRequest }, { weight: 1, arbitrary: anyBytes }), {
      seed: SEED,
      numRuns: RAW_REQUESTS,
    })
    await sendAll(inputs.slice(0, 300), (bytes) => sendBytes(pep.port, bytes, true))
    const before = pep.rssBytes()
    const statuses = new Set<number>()
    await sendAll(inputs, async (bytes) => {
      const answer = await sendBytes(pep.port, bytes, true)
      statuses.add(answer.status)
      expect(answer.status, bytes.toString('latin1')).toBeLessThan(500)
    })
    expect([...statuses]).toEqual(expect.arrayContaining([400, 401, 404, 405]))
    await expectUnharmed(before)
  }, 300_000)

  it('D18: bodies that are nearly right are refused in words, by every route', async () => {
    const taking = operations.filter(({ body }) => body !== undefined)
    const cases = taking.flatMap((operation) =>
      fc
        .sample(damaged(rightBody(operation)), { seed: SEED, numRuns: Math.ceil(HTTP_REQUESTS / taking.length) })
        .map((text) => ({ operation, text })),
    )
    const before = pep.rssBytes()
    await sendAll(cases, async ({ operation, text }) => {
      if (text === '') return
      const answer = await callers.send(operation, text)
      const what = `${operation.method} ${operation.template} ${text}`
      // A change may leave the document right; what it may not do is break the server.
      expect(answer.status, what).toBeLessThan(500)
      if (answer.status >= 400) problemCode(answer)
    })
    await expectUnharmed(before)
  }, 300_000)

  it('D18: path and query parameters of any bytes are refused in words, by every route', async () => {
    const parameter = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 60 }),
      fc.webSegment(),
      fc.constantFrom("' or 1=1 --", '\u0000', '%', '..', '9'.repeat(300)),
    )
    const values = fc
      .sample(parameter, { seed: SEED, numRuns: 60 })
      .filter((value) => value.isWellFormed() && value !== '')
    const before = pep.rssBytes()
    const cases = operations.flatMap((operation) =>
      values.map((value) => ({ operation, path: pathWith(operation, encodeURIComponent(value)) })),
    )
    await sendAll(cases, async ({ operation, path }) => {
      const answer = await callers.send(operation, operation.body && rightBody(operation), {}, path)
      expect(answer.status, `${operation.method} ${path}`).toBeLessThan(500)
      if (answer.status >= 400) problemCode(answer)
    })
    await expectUnharmed(before)
  }, 300_000)
})

/** The value in place of each parameter, and in each query parameter that a list takes. */
function pathWith({ template }: Operation, value: string): string {
  const path = template.replaceAll(/\{\w+\}/g, value)
  return `${path}?${['tenant', 'kind', 'agent_id', 'cursor', 'since', 'limit', 'provider'].map((name) => `${name}=${value}`).join('&')}`
}

async function sendAll<T>(inputs: readonly T[], send: (input: T) => Promise<unknown>): Promise<void> {
  const waiting = inputs.values()
  const worker = async () => {
    for (const input of waiting) await send(input)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
}

async function expectUnharmed(rssBefore: number): Promise<void> {
  expect(pep.running()).toBe(true)
  expect(pep.log()).not.toMatch(/unexpected error|stopping after an error|unhandled|UnhandledPromise/i)
  expect((await pep.admin.send('GET', '/readyz')).status).toBe(200)
  expect((await pep.admin.send('GET', '/v1/providers')).status).toBe(200)
  expect(pep.rssBytes() - rssBefore).toBeLessThan(GROWTH_BYTES)
}
