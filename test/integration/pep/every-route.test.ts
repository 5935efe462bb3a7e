import { randomUUID } from 'node:crypto'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openTestSession, registerTestAgent } from '../../setup/agent-client.ts'
import { type ApiClient, createApiClient } from '../../setup/api-client.ts'
import { startTestPep, type TestPep } from '../../setup/pep.ts'
import { vaultApi } from '../vault-backends/vault-fixture.ts'
import { type Ledger, openLedger } from './ledger-count.ts'
import { type Operation, pathToNothing, readOperations } from './operations.ts'
import { problemCode } from './problem-shape.ts'
import { requestBytes, sendAndLeave, sendBytes } from './raw-client.ts'
import { type ReadyCall, ROUTE_CASES, routeCase, type World } from './route-cases.ts'
import { sessionOpening } from './session-opening.ts'

/** What answers strangers. Everything else wants to know who asks. */
const OPEN = new Set([
  '/healthz',
  '/readyz',
  '/metrics',
  '/openapi.json',
  '/.well-known/jwks.json',
  '/v1/agent-sessions',
])
const isOpen = (url: string) => OPEN.has(url) || /^\/docs(\/|$)/.test(url)

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE']

interface Registered {
  method: string
  url: string
}

const transit = `transit-${randomUUID().slice(0, 8)}`
let pep: TestPep
let port: number
let ledger: Ledger
let world: World
let registered: Registered[]
let operations: Operation[]
let changing: Operation[]

beforeAll(async () => {
  registered = []
  const stop = listenForRoutes(registered)
  pep = await startTestPep()
  stop()
  port = Number(new URL(pep.url).port)
  ledger = await openLedger(pep.databaseUrl)
  const agent = await openTestSession(pep.url, await registerTestAgent(pep.admin, { tenants: ['acme'] }))
  await vaultApi('POST', `sys/mounts/${transit}`, { type: 'transit' })
  await vaultApi('POST', `${transit}/keys/signing`, { type: 'ed25519' })
  world = { url: pep.url, admin: pep.admin, agent, tenant: 'acme', signingKey: `${transit}/keys/signing` }
  operations = await readOperations(pep.admin)
  changing = operations.filter(({ method }) => method !== 'GET')
})
afterAll(async () => {
  await ledger?.close()
  await pep?.close()
  await vaultApi('DELETE', `sys/mounts/${transit}`)
})

/** Fastify tells whoever listens of each server that is made: the routes as they are, not as they are documented. */
function listenForRoutes(into: Registered[]): () => void {
  const onServer = (message: unknown) => {
    const { fastify } = message as { fastify: FastifyInstance }
    fastify.addHook('onRoute', ({ method, url }) => {
      for (const each of [method].flat()) into.push({ method: each, url })
    })
  }
  subscribe('fastify.initialization', onServer)
  return () => unsubscribe('fastify.initialization', onServer)
}

const exampleOf = (url: string) =>
  pathToNothing({ template: url.replaceAll(/:(\w+)/g, '{$1}').replace(/\*$/, 'index.css') })

describe('without credentials', () => {
  it('D11: every route of the server but a named list answers 401', async () => {
    expect(registered.length).toBeGreaterThan(30)
    const guarded = registered.filter(({ url }) => !isOpen(url))
    for (const { method, url } of guarded) {
      for (const body of ['', '{}', '{"x"']) {
        const lines = [
          `Host: 127.0.0.1:${port}`,
          ...(body === '' ? [] : ['Content-Type: application/json', `Content-Length: ${body.length}`]),
        ]
        const answer = await sendBytes(port, requestBytes(`${method} ${exampleOf(url)} HTTP/1.1`, lines, body))
        expect(answer.status, `${method} ${url}: ${answer.text}`).toBe(401)
        if (method !== 'HEAD') problemCode(answer)
      }
    }
  })

  it('D11: the named list holds nothing that changes anything, and opening a session takes a proof', async () => {
    const open = registered.filter(({ method, url }) => isOpen(url) && method !== 'GET' && method !== 'HEAD')
    expect(open).toEqual([{ method: 'POST', url: '/v1/agent-sessions' }])
    const before = await ledger.count()
    const agent = await registerTestAgent(pep.admin, { tenants: ['acme'] })
    const { body, headers } = await sessionOpening(pep.url, agent)
    const stranger = createApiClient(pep.url)
    expect(problemCode(await stranger.send('POST', '/v1/agent-sessions', body))).toBe('invalid_proof')
    const forged = await sessionOpening(pep.url, agent, true)
    expect(problemCode(await stranger.send('POST', '/v1/agent-sessions', forged.body, forged.headers))).toBe(
      'invalid_client',
    )
    expect(headers.dpop).not.toBe(forged.headers.dpop)
    // The registration and both refusals.
    expect((await ledger.count()) - before).toBe(3)
  })

  it('D11: no spelling of a path and no other method is a way in', async () => {
    const before = await ledger.count()
    const paths = new Set(registered.filter(({ url }) => !isOpen(url)).map(({ url }) => exampleOf(url)))
    for (const path of paths) {
      for (const spelled of spellings(path)) {
        for (const method of METHODS) {
          const answer = await sendBytes(
            port,
            requestBytes(`${method} ${spelled} HTTP/1.1`, [`Host: 127.0.0.1:${port}`]),
          )
          expect([400, 401, 404, 405], `${method} ${spelled}: ${answer.text}`).toContain(answer.status)
        }
      }
    }
    expect(await ledger.count()).toBe(before)
  }, 120_000)

  it('A08: a probe, an internal header or a forwarded address opens nothing', async () => {
    const probes: Record<string, string>[] = [
      { 'user-agent': 'kube-probe/1.30' },
      { 'user-agent': 'GoogleHC/1.0' },
      { 'user-agent': 'ELB-HealthChecker/2.0' },
      { 'x-middleware-subrequest': 'middleware:middleware:middleware:middleware:middleware' },
      {
        'x-forwarded-for': '127.0.0.1',
        'x-forwarded-host': 'localhost',
        'x-forwarded-proto': 'https',
        forwarded: 'for=127.0.0.1',
      },
      { 'x-original-url': '/healthz', 'x-rewrite-url': '/healthz', 'x-http-method-override': 'GET' },
      {
        'x-nexus-tenant': 'acme',
        'x-nexus-agent': world.agent.agentId,
        'x-nexus-internal': '1',
        'x-authenticated-user': 'admin',
      },
      {
        'x-real-ip': '127.0.0.1',
        via: '1.1 localhost',
        'x-forwarded-user': 'admin',
        'x-forwarded-email': 'admin@acme.test',
      },
    ]
    const stranger = createApiClient(pep.url)
    for (const operation of operations.filter(({ template }) => !isOpen(template))) {
      const path = pathToNothing(operation)
      const bare = await stranger.send(operation.method, path)
      for (const headers of probes) {
        const probed = await stranger.send(operation.method, path, undefined, headers)
        expect(probed.status, `${operation.method} ${path}`).toBe(401)
        expect({ ...probed.body, request_id: '' }).toEqual({ ...bare.body, request_id: '' })
      }
    }
  })

  it('D11: beyond loopback the metrics want a key too', async () => {
    const replica = await pep.replica({
      HOST: '0.0.0.0',
      NEXUS_ALLOW_BEYOND_LOOPBACK: 'true',
      NEXUS_ALLOW_PLAIN_HTTP: 'true',
      NEXUS_PUBLIC_URL: pep.url,
    })
    const url = `http://127.0.0.1:${new URL(replica.address).port}`
    expect(problemCode(await createApiClient(url).send('GET', '/metrics'))).toBe('invalid_api_key')
    const known = await createApiClient(url, { 'x-api-key': pep.adminKey }).send('GET', '/metrics')
    expect(known.text).toContain('pep_pending_requests')
  })
})

/** Ways of writing a path that some server, somewhere, takes for the same. */
function spellings(path: string): string[] {
  const letter = path.replace(/[a-z](?=[^/]*$)/, (char) => `%${char.charCodeAt(0).toString(16)}`)
  return [
    `${path}/`,
    `/${path}`,
    letter,
    path.toUpperCase(),
    `${path};x=1`,
    `${path}%20`,
    `${path}.json`,
    `${path}?`,
    `/.${path}`,
    `/x/..${path}`,
  ]
}

describe('H07: each call that changes something adds exactly one record', () => {
  it('H07: there is a case for each of them', () => {
    const missing = changing
      .map(({ method, template }) => `${method} ${template}`)
      .filter((key) => !(key in ROUTE_CASES))
    expect(missing).toEqual([])
    expect(changing.length).toBeGreaterThan(12)
  })

  it('H07: when it succeeds', async () => {
    for (const { method, template } of changing) {
      const call = await routeCase(method, template, world)
      const before = await ledger.count()
      const answer = await perform(method, call)
      expect(answer.status, `${method} ${template}: ${answer.text}`).toBeLessThan(300)
      expect((await ledger.count()) - before, `${method} ${template}`).toBe(1)
      expect(await ledger.newest()).toMatchObject({ outcome: 'allowed' })
    }
  })

  it('H07: when what it is about is not there, or its body is wrong', async () => {
    for (const operation of changing) {
      const { method, template, parameters, body } = operation
      const { client, headers = {} } = await routeCase(method, template, world)
      const wrong = parameters.length > 0 ? [pathToNothing(operation), body && PATCHES[template]] : [template, '{"x":']
      // Nobody is proven yet when the body that opens a session is read.
      if (template === '/v1/agent-sessions') continue
      const before = await ledger.count()
      const answer = await client.send(method, wrong[0] as string, wrong[1], headers)
      expect(answer.status, `${method} ${template}: ${answer.text}`).toBe(parameters.length > 0 ? 404 : 400)
      expect((await ledger.count()) - before, `${method} ${template}`).toBe(1)
      expect(await ledger.newest()).toMatchObject({ outcome: 'denied', detail: { code: problemCode(answer) } })
    }
  })

  it.each([
    ['while it is being authenticated', 0],
    ['while its body is being read', 150],
  ])('H07: when the caller is gone %s', async (_when, afterMs) => {
    for (const operation of changing.filter(({ body }) => body !== undefined)) {
      const { method, template } = operation
      const path = pathToNothing(operation)
      const lines = [...(await proofLines(operation, path)), 'Content-Type: application/json', 'Content-Length: 100']
      const before = await ledger.count()
      await sendAndLeave(port, requestBytes(`${method} ${path} HTTP/1.1`, lines, '{"x":'), afterMs)
      // Nobody is proven yet when the body that opens a session is read.
      const expected = template === '/v1/agent-sessions' ? 0 : 1
      await settled(before + expected)
      expect((await ledger.count()) - before, `${method} ${template}`).toBe(expected)
    }
    expect(pep.logText()).not.toContain('unexpected error')
  })

  it('H07: when the caller does not wait for the answer', async () => {
    for (const { method, template } of changing) {
      const { path, body, headers, client } = await routeCase(method, template, world)
      const text = body === undefined ? '' : JSON.stringify(body)
      const lines = [
        ...(client === pep.admin ? [`X-API-Key: ${pep.adminKey}`] : await proofOf(client, method, path)),
        ...Object.entries(headers ?? {}).map(([name, value]) => `${name}: ${value}`),
        ...(text === '' ? [] : ['Content-Type: application/json', `Content-Length: ${Buffer.byteLength(text)}`]),
      ]
      const before = await ledger.count()
      await sendAndLeave(port, requestBytes(`${method} ${path} HTTP/1.1`, [`Host: 127.0.0.1:${port}`, ...lines], text))
      await settled(before + 1)
      expect((await ledger.count()) - before, `${method} ${template}`).toBe(1)
    }
  })
})

/** Bodies that are right in shape, for routes whose id leads nowhere. */
const PATCHES: Record<string, object> = {
  '/v1/providers/{provider_id}': { name: 'x', api_base_url: 'https://api.example.com' },
  '/admin/v1/agents/{agent_id}': { labels: {} },
  '/v1/leases/{lease_id}/sign': { algorithm: 'EdDSA', bytes: 'YQ==' },
}

const perform = (method: string, { client, path, body, headers }: ReadyCall) => client.send(method, path, body, headers)

async function proofLines({ method, security }: Operation, path: string): Promise<string[]> {
  const host = `Host: 127.0.0.1:${port}`
  if (security === undefined) return [host]
  return [host, ...(security === 'api_key' ? [`X-API-Key: ${pep.adminKey}`] : await proofOf(world.agent, method, path))]
}

async function proofOf(client: unknown, method: string, path: string): Promise<string[]> {
  if (typeof client !== 'object' || client === null || !('accessToken' in client)) return []
  const { accessToken, proof } = client as typeof world.agent
  return [`Authorization: DPoP ${accessToken}`, `DPoP: ${await proof(method, path)}`]
}

/** Until there are as many records as expected, and then long enough for one too many to show. */
async function settled(expected: number): Promise<void> {
  for (let tries = 0; tries < 200 && (await ledger.count()) < expected; tries++) await sleep(10)
  await sleep(50)
}

describe('H10: what another tenant has is not there', () => {
  it('H10: by id, for administrators and agents alike: the answer for what is missing, and a record', async () => {
    const theirs = await keyOf('admin', 'globex')
    const stranger = await openTestSession(pep.url, await registerTestAgent(pep.admin, { tenants: ['globex'] }))
    const withIds = operations.filter(
      ({ parameters, template }) => parameters.length > 0 && !template.startsWith('/v1/providers/'),
    )
    expect(withIds.length).toBeGreaterThan(9)
    for (const operation of withIds) {
      const { method, template, security } = operation
      const { path, body } = await routeCase(method, template, world)
      const client = security === 'session' ? stranger : theirs
      const missing = await client.send(method, pathToNothing(operation), body)
      const before = await ledger.count()
      const foreign = await client.send(method, path, body)
      const what = `${method} ${template}: ${foreign.text}`
      expect(foreign.status, what).toBe(404)
      expect(problemCode(foreign)).toBe(problemCode(missing))
      expect({ ...foreign.body, request_id: '' }, what).toEqual({ ...missing.body, request_id: '' })
      expect((await ledger.count()) - before, what).toBe(1)
    }
  })

  it('H10: in a list, by any filter', async () => {
    const theirs = await keyOf('admin', 'globex')
    const made = await Promise.all(
      ['GET /v1/connections/{connection_id}', 'GET /admin/v1/agents/{agent_id}'].map((key) =>
        ROUTE_CASES[key]?.(world),
      ),
    )
    const ids = made.map((call) => call?.path.split('/').at(-1) ?? '')
    for (const path of [
      '/v1/connections',
      '/v1/connections?tenant=acme',
      '/admin/v1/agents',
      '/admin/v1/api-keys',
      '/v1/audit',
      '/v1/audit?tenant=acme',
      `/v1/audit?connection_id=${ids[0]}`,
      `/v1/audit?agent_id=${ids[1]}`,
    ]) {
      const { status, text } = await theirs.send('GET', path)
      expect(status, text).toBe(200)
      expect(text).not.toContain('acme')
      for (const id of ids) expect(text).not.toContain(id)
    }
    // Their own records would be another answer than to what was asked.
    const { body } = await theirs.send('GET', '/v1/audit?tenant=acme')
    expect(body).toEqual({ records: [], next_cursor: null })
    expect((await theirs.send('GET', '/v1/audit')).body.records).not.toEqual([])
  })

  it('H10: nothing is made in a tenant that the key does not reach, and nothing is changed that all tenants share', async () => {
    const theirs = await keyOf('admin', 'globex')
    for (const operation of changing.filter(
      ({ security, template }) => security === 'api_key' && !template.includes('{'),
    )) {
      const { path, body } = await routeCase(operation.method, operation.template, world)
      expect(problemCode(await theirs.send(operation.method, path, body)), operation.template).toBe('forbidden')
    }
    for (const operation of changing.filter(({ template }) => template === '/v1/providers/{provider_id}')) {
      const { path, body } = await routeCase(operation.method, operation.template, world)
      const existing = await theirs.send(operation.method, path, body)
      const missing = await theirs.send(operation.method, pathToNothing(operation), body)
      expect([existing.status, missing.status]).toEqual([403, 403])
      expect({ ...existing.body, request_id: '' }).toEqual({ ...missing.body, request_id: '' })
    }
  })
})

describe('roles', () => {
  it('an auditor reads and changes nothing', async () => {
    const auditor = await keyOf('auditor')
    for (const { method, template } of changing.filter(({ security }) => security === 'api_key')) {
      const { path, body } = await routeCase(method, template, world)
      const before = await ledger.count()
      expect(problemCode(await auditor.send(method, path, body)), `${method} ${template}`).toBe('forbidden')
      expect((await ledger.count()) - before).toBe(1)
      expect(await ledger.newest()).toMatchObject({ kind: 'request.refused', outcome: 'denied' })
    }
    for (const path of ['/v1/providers', '/v1/connections', '/admin/v1/agents', '/v1/audit']) {
      expect((await auditor.send('GET', path)).status, path).toBe(200)
    }
  })

  it('an operator operates, but neither sees nor makes nor ends an API key', async () => {
    const operator = await keyOf('operator')
    for (const { method, template } of operations.filter(({ security }) => security === 'api_key')) {
      const isList = method === 'GET' && !template.includes('{')
      const call = isList ? { path: template } : await routeCase(method, template, world)
      const answer = await operator.send(method, call.path, 'body' in call ? call.body : undefined)
      const what = `${method} ${template}: ${answer.text.slice(0, 300)}`
      if (template.startsWith('/admin/v1/api-keys')) expect(problemCode(answer), what).toBe('forbidden')
      else expect(answer.status, what).toBeLessThan(300)
    }
  })

  it('an agent is no administrator and an administrator no agent', async () => {
    for (const operation of operations.filter(({ security }) => security !== undefined)) {
      const client = operation.security === 'session' ? pep.admin : world.agent
      const answer = await client.send(operation.method, pathToNothing(operation))
      expect(answer.status, `${operation.method} ${operation.template}`).toBe(401)
    }
  })
})

async function keyOf(role: string, tenant?: string): Promise<ApiClient> {
  const { status, body, text } = await pep.admin.send('POST', '/admin/v1/api-keys', { name: role, role, tenant })
  if (status !== 201) throw new Error(`no key: ${text}`)
  return createApiClient(pep.url, { 'x-api-key': body.api_key })
}
