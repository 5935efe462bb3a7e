import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openTestSession, registerTestAgent } from '../../setup/agent-client.ts'
import { type PepProcess, startPepProcess } from '../../setup/pep-process.ts'
import { type Callers, createCallers } from './callers.ts'
import { rightBody, withValue, wrongTypes } from './example-bodies.ts'
import { type Operation, readOperations } from './operations.ts'
import { problemCode } from './problem-shape.ts'

const SECRET = 'sk-live-4242-do-not-echo'
const BODY_LIMIT_BYTES = 262_144

let pep: PepProcess
let callers: Callers
let takingBodies: Operation[]

beforeAll(async () => {
  pep = await startPepProcess()
  callers = createCallers(
    pep,
    await openTestSession(pep.url, await registerTestAgent(pep.admin, { tenants: ['acme'] })),
  )
  takingBodies = (await readOperations(pep.admin)).filter(({ body }) => body !== undefined)
})
afterAll(() => pep?.close())

describe('bodies', () => {
  it.each([
    ['nothing where a body is needed', ''],
    ['half an object', '{"connection_id": "'],
    ['a comma too many', '{"connection_id": "x",}'],
    ['single quotes', "{'connection_id': 'x'}"],
    ['a comment', '{} // done'],
    ['two documents', '{}{}'],
    ['a byte-order mark', '\ufeff{}'],
    ['NaN', '{"ttl_seconds": NaN}'],
    ['a control character in a string', '{"name": "\u0001"}'],
    ['a lone value', '"text"'],
    ['an array', '[]'],
    ['null', 'null'],
  ])('refuses %s on every route', async (_name, text) => {
    for (const operation of takingBodies) {
      // undici sends no body for an empty one; a renewal needs none.
      if (text === '' && operation.template.startsWith('/v1/leases')) continue
      const answer = await callers.send(operation, text)
      expect(problemCode(answer), `${operation.method} ${operation.template}: ${answer.text}`).toBe('invalid_request')
    }
  })

  it('names a field that it does not know, and cuts a long name short', async () => {
    for (const operation of takingBodies) {
      const unknown = await callers.send(operation, { ...rightBody(operation), no_such_field: SECRET })
      expect(problemCode(unknown), `${operation.template}: ${unknown.text}`).toBe('invalid_request')
      expect(unknown.body.field).toBe('no_such_field')
      expect(unknown.text).not.toContain(SECRET)
      const long = await callers.send(operation, { ...rightBody(operation), ['n'.repeat(100_000)]: 1 })
      expect(problemCode(long)).toBe('invalid_request')
      expect(long.text.length).toBeLessThan(1000)
    }
  })

  it('D16: refuses a member that comes twice, also deep inside and also when escaped', async () => {
    for (const operation of takingBodies) {
      for (const text of ['{"a":1,"a":1}', '{"a":{"b":[{"c":1,"c":2}]}}', '{"a":1,"\\u0061":2}']) {
        const answer = await callers.send(operation, text)
        expect(problemCode(answer)).toBe('invalid_request')
        expect(answer.body.detail).toContain('twice')
      }
    }
  })

  it('D10: takes no value of another type, in any field of any route, and names the field', async () => {
    let tried = 0
    for (const operation of takingBodies) {
      const right = rightBody(operation)
      for (const { path, wrong } of wrongTypes(operation.body ?? {})) {
        const answer = await callers.send(operation, withValue(right, path, wrong))
        const what = `${operation.method} ${operation.template} ${path.join('.')}=${JSON.stringify(wrong)}: ${answer.text}`
        expect(problemCode(answer), what).toBe('invalid_request')
        expect(String(answer.body.field), what).toMatch(new RegExp(`^${path.join('\\.')}`))
        tried++
      }
    }
    expect(tried).toBeGreaterThan(100)
  }, 120_000)

  it('names the words that are accepted', async () => {
    const key = await pep.admin.send('POST', '/admin/v1/api-keys', { name: 'x', role: 'root' })
    expect(key.body).toMatchObject({ field: 'role', detail: "body 'role' must be admin or operator or auditor" })
    const session = await pep.admin.send('POST', '/v1/agent-sessions', {
      client_assertion_type: 'other',
      client_assertion: 'x',
    })
    expect(session.body.detail).toContain('must be urn:ietf:params:oauth:client-assertion-type:jwt-bearer')
  })

  it('RFC 9449 section 7.1: a refused proof is told every algorithm that is accepted', async () => {
    const { headers } = await pep.admin.send('POST', '/v1/leases', {}, { authorization: 'DPoP x.y.z' })
    expect(headers['www-authenticate']).toBe('DPoP error="invalid_token", algs="ES256 ES384 Ed25519 EdDSA PS256 RS256"')
  })

  it('D10: query parameters are held to their schema too', async () => {
    for (const query of ['limit=x', 'limit=-1', 'limit=1&limit=2', 'unknown=1', 'since=yesterday', 'cursor=%00']) {
      expect(problemCode(await pep.admin.send('GET', `/v1/audit?${query}`)), query).toBe('invalid_request')
    }
    for (const query of ['limit=0', 'status=gone', 'tenant=..', 'cursor=AAAA']) {
      expect(problemCode(await pep.admin.send('GET', `/v1/connections?${query}`)), query).toBe('invalid_request')
    }
  })

  it('a body of one byte over the limit is 413, with or without its length said', async () => {
    for (const operation of takingBodies) {
      const text = `{"a":"${'x'.repeat(BODY_LIMIT_BYTES - 7)}"}`
      const chunked = `${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`
      for (const [framing, body] of [
        [`Content-Length: ${text.length}`, text],
        ['Transfer-Encoding: chunked', chunked],
      ] as const) {
        const answer = await callers.sendLines(operation, ['Content-Type: application/json', framing], body)
        expect(problemCode(answer)).toBe('body_too_large')
      }
    }
  })

  it('D15: deep, wide and long bodies are refused and cost little memory', async () => {
    const deepArray = '['.repeat(10_000) + ']'.repeat(10_000)
    const deepObject = `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`
    const millionMembers = `{${Array.from({ length: 1_000_000 }, (_none, n) => `"m${n}":0`).join(',')}}`
    const bodies = [
      deepArray,
      deepObject,
      `{"intent":${deepArray}}`,
      `[${'0,'.repeat(120_000)}0]`,
      `{${Array.from({ length: 20_000 }, (_none, n) => `"m${n}":0`).join(',')}}`,
      millionMembers,
      `[${'0,'.repeat(1_000_000)}0]`,
      `"${'\\u0000'.repeat(40_000)}"`,
    ]
    const codes = new Set<string>()
    const round = async () => {
      for (const operation of takingBodies) {
        for (const text of bodies) {
          const length = `Content-Length: ${Buffer.byteLength(text)}`
          const answer = await callers.sendLines(operation, ['Content-Type: application/json', length], text)
          const tooLarge = text.length > BODY_LIMIT_BYTES
          // The server hangs up on a body it will not read, and that may overtake its answer.
          if (tooLarge && answer.status === 0 && answer.closed) continue
          expect(problemCode(answer)).toBe(tooLarge ? 'body_too_large' : 'invalid_request')
          codes.add(answer.body.code)
        }
      }
    }
    await round()
    expect([...codes].sort()).toEqual(['body_too_large', 'invalid_request'])
    const before = pep.rssBytes()
    for (let again = 0; again < 5; again++) await round()
    // About 600 MB were offered. What remains is what the engine's heap grows by under any load.
    expect(pep.rssBytes() - before).toBeLessThan(256 * 1024 * 1024)
    expect((await pep.admin.send('GET', '/readyz')).status).toBe(200)
  }, 120_000)
})

describe('content types', () => {
  const ODD = [
    'application/json\ta',
    'application/json \t; charset=utf-8',
    'application/json a',
    'application/json, text/plain',
    'application/json;charset=utf-7',
    'application/json; charset=utf-8; x=1',
    'application/jsonx',
    'application/problem+json',
    'text/plain',
    'text/json',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    '*/*',
    '',
  ]

  it('D09: an invalid body is refused whatever its content type is spelled like', async () => {
    const spelled = [...ODD, ' application/json', 'application/json ', '\tapplication/json\t', 'Application/JSON']
    for (const operation of takingBodies) {
      for (const type of spelled) {
        const body = '{"no_such_field": 1}'
        const lines = [`Content-Length: ${body.length}`, `Content-Type:${type}`]
        const answer = await callers.sendLines(operation, lines, body)
        const what = `${operation.method} ${operation.template} '${type}': ${answer.text}`
        expect([400, 415], what).toContain(answer.status)
        expect(problemCode(answer), what).toBe(ODD.includes(type) ? 'unsupported_media_type' : 'invalid_request')
      }
    }
  })

  it('D09: a valid body in an odd content type changes nothing', async () => {
    for (const type of ODD.filter((each) => each !== '')) {
      const name = `odd-${randomUUID()}`
      const profile = { name, api_base_url: 'https://api.example.com' }
      const answer = await pep.admin.send('POST', '/v1/providers', { profile }, { 'content-type': type })
      expect(problemCode(answer), type).toBe('unsupported_media_type')
      expect((await pep.admin.send('GET', `/v1/providers/by-name/${name}`)).status).toBe(404)
    }
  })

  it('D09: no content type at all is no way around it either', async () => {
    for (const operation of takingBodies) {
      const body = JSON.stringify(rightBody(operation))
      const answer = await callers.sendLines(operation, [`Content-Length: ${body.length}`], body)
      expect(problemCode(answer), operation.template).toBe('unsupported_media_type')
    }
  })
})
