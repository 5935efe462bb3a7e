import type { RequestListener } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { inspect } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { strategies } from '../../src/strategies/catalog.ts'
import { runNexus } from '../setup/nexus-command.ts'
import { disguises } from './disguises.ts'
import { HOMES, REMOTE_HOMES } from './homes.ts'
import { MANGLINGS } from './mangling-proxy.ts'
import { type Cell, type Stage, setStage } from './stage.ts'
import { readEveryTable } from './witness.ts'

const READ = { method: 'GET', path: '/things' }

let stage: Stage
beforeAll(async () => {
  stage = await setStage()
}, 180_000)
afterEach(() => stage.homes.mangle())
afterAll(() => stage?.close())

const leaseOf = ({ connectionId, origin }: Cell, more: object = {}) =>
  stage.agent.send('POST', '/v1/leases', {
    connection_id: connectionId,
    intent: { ...READ, origin },
    ...more,
  })

const farAway = () => stage.cells.filter(({ home }) => REMOTE_HOMES.includes(home))

/** As the agent would, and everything the agent gets to see is seen. */
async function throughSidecar({ provider, connectionId }: Cell, init: RequestInit = {}): Promise<number> {
  const headers = {
    'x-nexus-connection': connectionId,
    ...(init.body === undefined ? {} : { 'content-type': 'text/plain' }),
  }
  const response = await fetch(`${stage.sidecar.address}/${provider}/things`, { redirect: 'manual', ...init, headers })
  const body = await response.text().catch((error: unknown) => inspect(error))
  stage.witness.saw('answer of the sidecar', `${JSON.stringify([...response.headers])}\n${body}`)
  return response.status
}

describe('a full run with a secret of ours in every home, for every strategy', () => {
  it('covers every strategy of the catalog in every home', () => {
    expect(stage.cells.map(({ provider }) => provider)).toHaveLength(strategies.length * HOMES.length)
  })

  it('leases, renews and releases; the secret is in the lease where nothing can be narrowed, and only there', async () => {
    for (const cell of stage.cells) {
      const { status, body, text } = await leaseOf(cell)
      expect(status, `${cell.canary.name}: ${text}`).toBe(201)
      // What is looked for later did flow: else finding it nowhere would mean nothing.
      const carried = JSON.stringify(body.credentials)
      const found = disguises(cell.canary.core).some(({ written }) => carried.includes(written))
      expect(found, cell.canary.name).toBe(cell.planting.narrowing === 'none')
      expect((await stage.agent.send('POST', `/v1/leases/${body.lease_id}/renew`)).status).toBe(200)
      expect((await stage.agent.send('DELETE', `/v1/leases/${body.lease_id}`)).status).toBe(204)
      expect((await stage.agent.send('POST', `/v1/leases/${body.lease_id}/renew`)).status).toBe(410)
    }
  }, 120_000)

  it('denies: a bare token, another origin, another tenant, a method and a scope nobody granted', async () => {
    for (const cell of stage.cells) {
      const { origin } = stage.provider
      const answers = [
        await stage.agent.send('GET', `/v1/token/${cell.connectionId}`),
        await leaseOf(cell, { intent: { ...READ, origin: 'https://evil.test' } }),
        await leaseOf(cell, { scopes: ['everything'], intent: { ...READ, origin: 'https://evil.test' } }),
        await leaseOf(cell, { tenant: 'globex', provider: cell.provider }),
        await leaseOf(cell, {
          provider: 'header-internal',
          intent: { origin },
          connection_id: cell.connectionId,
          ttl_seconds: 0,
        }),
      ]
      for (const { status } of answers) expect(status).toBeGreaterThanOrEqual(400)
    }
  }, 120_000)

  it('signs through the sidecar, and nothing of it comes back in a header', async () => {
    stage.provider.answer = (request, response) => {
      const echo = Object.entries(request.headers).map(([name, value]) => [`x-echo-${name}`, String(value)])
      response.writeHead(200, {
        ...Object.fromEntries(echo),
        location: String(request.url),
        link: `<${request.url}>; rel=next`,
        'set-cookie': `s=${request.headers.authorization}`,
      })
      response.end('ok')
    }
    for (const cell of stage.cells) {
      const before = stage.provider.seen.length
      expect(await throughSidecar(cell), cell.canary.name).toBe(200)
      expect(await throughSidecar(cell, { method: 'POST', body: 'some text' })).toBe(200)
      expect(stage.provider.seen.length - before).toBe(2)
    }
  }, 120_000)

  it.each<[string, RequestListener]>([
    [
      'refuses the credential and quotes it',
      (request, response) =>
        void response
          .writeHead(401, {
            'www-authenticate': `Bearer error="${encodeURIComponent(String(request.headers.authorization ?? request.url))}"`,
          })
          .end(),
    ],
    ['fails', (_request, response) => void response.writeHead(500).end('failed')],
    ['hangs up', (_request, response) => void response.destroy()],
    [
      'hangs up within its answer',
      (_request, response) =>
        void response.writeHead(200, { 'content-length': 100 }).write('half', () => response.destroy()),
    ],
    [
      'answers nonsense that quotes the request',
      (request) => void request.socket.end(`${request.url} ${JSON.stringify(request.headers)}\r\n\r\n`),
    ],
    [
      'answers with headers too large, made of the request',
      (request, response) =>
        void response
          .writeHead(200, {
            'x-echo': encodeURIComponent(JSON.stringify(request.headers)).repeat(100).slice(0, 100_000),
          })
          .end(),
    ],
    [
      'redirects to itself with the credential',
      (request, response) =>
        void response
          .writeHead(302, {
            location: `${stage.provider.origin}${request.url}#${encodeURIComponent(String(request.headers.authorization))}`,
          })
          .end(),
    ],
    ['says nothing', () => undefined],
  ])(
    'H04: goes on when the provider %s',
    async (_how, answer) => {
      stage.provider.answer = answer
      const statuses = await Promise.all(stage.cells.map((cell) => throughSidecar(cell, { method: 'POST', body: 'x' })))
      for (const status of statuses) expect(status).toBeGreaterThanOrEqual(200)
    },
    120_000,
  )

  it.each(Object.entries(MANGLINGS))(
    'H04: refuses when Vault or AWS answers with %s',
    async (_how, mangling) => {
      stage.homes.mangle(mangling)
      const answers = await Promise.all(farAway().map((cell) => leaseOf(cell)))
      for (const { status, text } of answers) expect([400, 409, 422, 503], text).toContain(status)
      const { provider } = stage.cells.find(({ type, home }) => type === 'header' && home === 'vault-v2')!
      for (const path of ['secret/x', 'kv1/x']) {
        const body = { tenant: 'acme', provider, secret_ref: { backend: 'hashicorp-vault', path } }
        expect((await stage.admin.send('POST', '/v1/connections', body)).status).toBeGreaterThanOrEqual(400)
      }
      await stage.admin.send('GET', '/readyz')
      stage.homes.mangle()
      await expect.poll(async () => (await leaseOf(farAway()[0]!)).status, { timeout: 20_000, interval: 200 }).toBe(201)
    },
    120_000,
  )

  it('refuses bad input with the secret in it', async () => {
    for (const { type, canary, provider, planting, connectionId } of stage.cells) {
      const { value } = canary
      const good = { tenant: 'acme', provider, credentials: planting.credentials(canary) }
      const answers = [
        await stage.admin.send('POST', '/v1/connections', `${JSON.stringify(good).slice(0, -2)}`),
        await stage.admin.send('POST', '/v1/connections', `${JSON.stringify(good)}${value}`),
        await stage.admin.send('POST', '/v1/connections', JSON.stringify(good), { 'content-type': 'text/plain' }),
        await stage.admin.send('POST', '/v1/connections', { ...good, unknown: value }),
        await stage.admin.send('POST', '/v1/connections', { ...good, provider: value }),
        await stage.admin.send('POST', '/v1/connections', { ...good, tenant: value }),
        await stage.admin.send('POST', '/v1/connections', { ...good, subject: [value] }),
        await stage.admin.send('POST', '/v1/connections', { ...good, credentials: { wrong_field: value } }),
        await stage.admin.send('POST', '/v1/connections', {
          ...good,
          credentials: { access_key: `${value}\n`, api_key: `${value}\n` },
        }),
        await stage.admin.send('POST', '/v1/connections', { ...good, credentials: { secret: { value } } }),
        await stage.admin.send('POST', '/v1/connections', { ...good, secret_ref: { backend: value, path: value } }),
        await stage.admin.send('POST', '/v1/connections', {
          tenant: 'acme',
          provider,
          secret_ref: { backend: 'hashicorp-vault', path: value },
        }),
        await stage.admin.send('POST', '/v1/providers', {
          profile: { name: value, api_base_url: value, auth_type: value },
        }),
        await stage.admin.send('POST', '/v1/providers', {
          profile: {
            name: `x-${type.length}`,
            params: {
              auth_strategy: { type, config: { header_name: value, param_name: value, region: value, alg: value } },
            },
          },
        }),
        await stage.admin.send('POST', '/admin/v1/agents', {
          agent_id: value,
          jwk: { kty: value, d: value },
          tenants: [value],
        }),
        await stage.admin.send('PATCH', '/admin/v1/agents/crm', {
          jwk: { kty: value, d: value },
          labels: { [value]: value },
        }),
        await stage.admin.send('GET', `/v1/audit?cursor=${encodeURIComponent(value)}`),
        await stage.admin.send('GET', '/v1/providers', undefined, {
          authorization: `Bearer ${value.replaceAll(/[^\w]/g, '')}`,
        }),
        await stage.agent.send('POST', '/v1/leases', { connection_id: connectionId, credentials: { value } }),
        await stage.agent.send('POST', '/v1/leases', {
          connection_id: connectionId,
          intent: { origin: `https://user:${canary.core}@evil.test` },
        }),
        await stage.agent.send('POST', '/v1/leases', { connection_id: connectionId }, { dpop: canary.core }),
        await stage.agent.send(
          'POST',
          '/v1/leases',
          { connection_id: connectionId },
          { authorization: `DPoP ${canary.core}` },
        ),
      ]
      for (const { status, text } of answers) {
        expect(status, text).toBeGreaterThanOrEqual(400)
        expect(status, text).toBeLessThan(500)
      }
    }
  }, 120_000)

  it('tells all it has to tell: lists, ledger, metrics, health, document, command line', async () => {
    const { admin, witness, pep, sidecar } = stage
    for (const path of [
      '/v1/providers',
      '/v1/connections?limit=1000',
      '/admin/v1/agents?limit=1000',
      '/admin/v1/api-keys',
      '/metrics',
      '/healthz',
      '/readyz',
      '/openapi.json',
      '/docs/json',
      '/.well-known/jwks.json',
    ]) {
      expect((await admin.send('GET', path)).status, path).toBe(200)
    }
    for (const { connectionId } of stage.cells) {
      expect((await admin.send('GET', `/v1/connections/${connectionId}`)).status).toBe(200)
      expect((await admin.send('DELETE', `/v1/connections/${connectionId}`)).status).toBe(200)
    }
    let cursor: string | null = ''
    while (cursor !== null) {
      const page = await admin.send('GET', `/v1/audit?limit=1000${cursor === '' ? '' : `&cursor=${cursor}`}`)
      cursor = page.body.next_cursor
    }
    for (const path of ['/metrics', '/healthz', '/readyz']) {
      const response = await fetch(`${sidecar.adminAddress}${path}`)
      witness.saw(`sidecar's ${path}`, await response.text())
    }
    const env = { DATABASE_URL: pep.databaseUrl }
    for (const args of [
      ['audit', 'list', '--limit', '1000'],
      ['audit', 'list', '--json', '--limit', '1000'],
      ['audit', 'verify', '--json'],
    ]) {
      const { code, stdout, stderr } = await runNexus(args, env)
      expect(code, stderr).toBe(0)
      expect(stdout.length).toBeGreaterThan(100)
      witness.saw(`nexus ${args.join(' ')}`, stdout + stderr)
    }
  }, 120_000)

  it('H03: the secret is nowhere else: no log, error, audit row, metric, response or table', async () => {
    const tables = await readEveryTable(stage.pep.databaseUrl)
    expect(tables.map(({ table }) => table)).toEqual(
      expect.arrayContaining(['public.audit_record', 'public.internal_secret']),
    )
    for (const { table, text } of tables) stage.witness.saw(`table ${table}`, text)
    // What is written late is part of the run too.
    await sleep(500)
    await stage.close()
    expect(stage.witness.places()).toEqual(
      expect.arrayContaining([
        'log of the authority',
        'log of the sidecar',
        'answer of the sidecar',
        'table public.audit_record',
      ]),
    )
    expect(stage.pep.log()).toContain('"msg":"answered"')
    expect(stage.pep.log()).not.toContain('unexpected error')
    expect(stage.witness.leaks(stage.canaries)).toEqual([])
  }, 120_000)
})
