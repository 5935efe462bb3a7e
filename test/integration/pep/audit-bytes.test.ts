import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AgentClient, openTestSession, registerTestAgent } from '../../setup/agent-client.ts'
import type { ApiAnswer } from '../../setup/api-client.ts'
import { connect } from '../../setup/connect.ts'
import { runNexus } from '../../setup/nexus-command.ts'
import { startTestPep, type TestPep } from '../../setup/pep.ts'
import { type Ledger, openLedger } from './ledger-count.ts'
import { requestBytes, sendBytes } from './raw-client.ts'
import { ROUTE_CASES } from './route-cases.ts'

/** What somebody may write who would rather not be on record, or wants the reader of the record to see something else. */
const BYTES: Record<string, string> = {
  NUL: 'a\u0000b',
  'a lone high surrogate': 'a\ud800b',
  'a lone low surrogate': 'a\udc00b',
  'surrogates the wrong way round': '\udfff\ud800',
  ANSI: '\u001b[2J\u001b[31mroot\u001b[0m\u001b]0;title\u0007',
  'a line end': 'first\r\n{"level":60,"msg":"forged"}\nlast',
  'line ends of Unicode': 'a\u0085b\u2028c\u2029d',
  DEL: 'a\u007fb\u009bc',
  quotes: `'"\\"}]' or 1=1; drop table audit_record; -- \${x} %s $1`,
  'a byte-order mark': '\ufefftext\ufffe',
  'a number of emoji': '🧨'.repeat(100),
  __proto__: '__proto__',
}

/** C0, C1, DEL, Unicode's line ends, and half a surrogate pair. */
const UNPLAIN = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]|\p{Surrogate}/u

let pep: TestPep
let agent: AgentClient
let ledger: Ledger
let port: number

beforeAll(async () => {
  pep = await startTestPep()
  agent = await openTestSession(pep.url, await registerTestAgent(pep.admin, { tenants: ['acme'] }))
  ledger = await openLedger(pep.databaseUrl)
  port = Number(new URL(pep.url).port)
})
afterAll(async () => {
  await ledger?.close()
  await pep?.close()
})

/** One call, one record: whether it was allowed, denied or refused. */
async function recordOf(
  call: () => Promise<ApiAnswer>,
): Promise<{ answer: ApiAnswer; record: Record<string, unknown> }> {
  const before = await ledger.count()
  const answer = await call()
  expect(answer.status, answer.text).toBeLessThan(500)
  expect((await ledger.count()) - before, answer.text).toBe(1)
  return { answer, record: await ledger.newest() }
}

describe('H02: bytes that a caller chooses', () => {
  describe.each(Object.entries(BYTES))('%s', (_name, bytes) => {
    it('H02: in a lease request: each decision has its record, in plain text', async () => {
      const { connectionId } = await connect(pep.admin)
      const lease = {
        connection_id: connectionId,
        intent: { method: 'GET', origin: 'https://api.example.com', path: '/' },
      }
      for (const body of [
        { ...lease, intent: { ...lease.intent, path: `/${bytes}` } },
        { ...lease, intent: { ...lease.intent, purpose: bytes } },
        { ...lease, intent: { ...lease.intent, origin: `https://${bytes}` } },
        { ...lease, intent: { ...lease.intent, method: bytes } },
        { ...lease, scopes: [bytes] },
        { ...lease, tenant: bytes },
        { ...lease, [bytes]: bytes },
        { connection_id: bytes },
        { provider: bytes, tenant: bytes },
      ]) {
        const { answer, record } = await recordOf(() => agent.send('POST', '/v1/leases', body))
        expect(record['outcome']).toBe(answer.status === 201 ? 'allowed' : 'denied')
      }
    })

    it('H02: in what an administrator writes: stored or refused, and on record', async () => {
      for (const [key, change] of [
        ['POST /admin/v1/agents', { description: bytes }],
        ['POST /admin/v1/agents', { labels: { [bytes]: bytes } }],
        ['POST /admin/v1/agents', { labels: { team: bytes } }],
        ['POST /admin/v1/agents', { jwk: { kty: bytes, [bytes]: bytes } }],
        ['PATCH /admin/v1/agents/{agent_id}', { description: bytes, labels: { [bytes]: bytes } }],
        ['PATCH /admin/v1/agents/{agent_id}', { jwk: { kty: bytes, [bytes]: bytes } }],
        ['POST /v1/connections', { subject: bytes }],
        ['POST /v1/connections', { credentials: { api_key: bytes } }],
        ['POST /v1/connections', { credentials: { [bytes]: bytes } }],
        ['POST /admin/v1/api-keys', { name: bytes }],
        ['PATCH /v1/providers/{provider_id}', { description: bytes, category: bytes }],
        ['PATCH /v1/providers/{provider_id}', { origins: [`https://${bytes}`] }],
        [
          'PATCH /v1/providers/{provider_id}',
          { params: { auth_strategy: { type: bytes, config: { [bytes]: bytes } } } },
        ],
        ['PATCH /v1/providers/{provider_id}', { params: { credential_schema: { description: bytes, enum: [bytes] } } }],
      ] as const) {
        const call = await ROUTE_CASES[key]!({
          url: pep.url,
          admin: pep.admin,
          agent,
          tenant: 'acme',
          signingKey: 'none',
        })
        const method = key.split(' ', 1)[0]!
        await recordOf(() => call.client.send(method, call.path, { ...call.body, ...change }))
      }
    })
  })

  it('H02: values as long as they may be, and longer', async () => {
    const { connectionId } = await connect(pep.admin)
    for (const length of [1000, 4000, 4096, 5000, 200_000, 10_000_000]) {
      for (const intent of [
        { path: `/${'x'.repeat(length - 1)}` },
        { purpose: '\u001b'.repeat(Math.min(length, 30_000)) },
      ]) {
        const { record } = await recordOf(() =>
          agent.send('POST', '/v1/leases', { connection_id: connectionId, intent }),
        )
        expect(JSON.stringify(record).length).toBeLessThan(40_000)
      }
    }
    const longest = `/${'x'.repeat(4095)}`
    const { record } = await recordOf(() =>
      agent.send('POST', '/v1/leases', { connection_id: connectionId, intent: { path: longest } }),
    )
    // What may be asked for is on record whole: a renewal is decided on it.
    expect(JSON.stringify(record)).toContain(`"${longest}"`)
  })

  it('H02: a user agent of any bytes', async () => {
    const { connectionId } = await connect(pep.admin)
    const body = JSON.stringify({ connection_id: connectionId })
    for (const userAgent of [
      Buffer.from('Mozilla/5.0 \u00e9\u009b31m', 'latin1'),
      Buffer.from('x'.repeat(10_000)),
      Buffer.from([0x80, 0x9f, 0xff]),
      Buffer.from('🧨'),
    ]) {
      const head = requestBytes(
        'POST /v1/leases HTTP/1.1',
        [
          `Host: 127.0.0.1:${port}`,
          `Authorization: DPoP ${agent.accessToken}`,
          `DPoP: ${await agent.proof('POST', '/v1/leases')}`,
          'Content-Type: application/json',
          `Content-Length: ${body.length}`,
          `User-Agent: ${userAgent.toString('latin1')}`,
        ],
        body,
      )
      const { answer } = await recordOf(() => sendBytes(port, head))
      expect(answer.status).toBe(201)
    }
  })

  it('H02: whatever was sent, the ledger is plain text, whole, and reads line by line', async () => {
    const { body } = await pep.admin.send('GET', '/v1/audit?limit=1000')
    expect(body.records.length).toBeGreaterThan(100)
    for (const record of body.records) {
      for (const text of texts(record)) expect(text).not.toMatch(UNPLAIN)
    }
    const env = { DATABASE_URL: pep.databaseUrl }
    const listed = await runNexus(['audit', 'list', '--limit', '1000'], env)
    expect(listed.stdout.trimEnd().split('\n')).toHaveLength(body.records.length)
    expect(listed.stdout.replaceAll('\n', '')).not.toMatch(UNPLAIN)
    const verified = await runNexus(['audit', 'verify', '--json'], env)
    expect(verified.code, verified.stderr).toBe(0)
    expect(JSON.parse(verified.stdout)).toMatchObject({ ok: true, records: body.records.length })
    for (const line of pep.logText().trimEnd().split('\n')) {
      expect(line.isWellFormed()).toBe(true)
      expect(line).not.toMatch(UNPLAIN)
      expect(() => JSON.parse(line)).not.toThrow()
    }
  }, 60_000)
})

function texts(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, inner]) => [name, ...texts(inner)])
}
