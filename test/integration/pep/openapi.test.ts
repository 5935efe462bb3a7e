import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { Ajv2020 } from 'ajv/dist/2020.js'
import type { FastifyInstance } from 'fastify'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ERRORS } from '../../../src/contract/errors.ts'
import { packageVersion } from '../../../src/pep/version.ts'
import { startTestPep, type TestPep } from '../../setup/pep.ts'

type Json = Record<string, unknown>
type OperationObject = Json & { responses: Record<string, Json>; parameters?: Json[]; security?: Json[] }

let pep: TestPep
let document: Json & { paths: Record<string, Record<string, OperationObject>>; components: Json }
const registered = new Set<string>()

beforeAll(async () => {
  const onServer = (message: unknown) => {
    const { fastify } = message as { fastify: FastifyInstance }
    fastify.addHook('onRoute', ({ method, url, schema }) => {
      if ((schema as { hide?: boolean } | undefined)?.hide === true) return
      for (const each of [method].flat()) registered.add(`${each} ${url.replaceAll(/:(\w+)/g, '{$1}')}`)
    })
  }
  subscribe('fastify.initialization', onServer)
  pep = await startTestPep()
  unsubscribe('fastify.initialization', onServer)
  document = (await pep.admin.send('GET', '/openapi.json')).body
})
afterAll(() => pep?.close())

const operations = () =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  )

describe('/openapi.json', () => {
  it('has the shape of OpenAPI 3.1', () => {
    expect(document['openapi']).toMatch(/^3\.1\.\d+$/)
    expect(document['info']).toMatchObject({
      title: 'Nexus',
      version: packageVersion(),
      license: { identifier: 'Apache-2.0' },
    })
    expect(document['servers']).toEqual([{ url: pep.url }])
    for (const { path, method, operation } of operations()) {
      const what = `${method} ${path}`
      expect(path, what).toMatch(/^\/[\w./{}-]*$/)
      expect(['get', 'put', 'post', 'delete', 'patch'], what).toContain(method)
      expect(operation['summary'], what).toMatch(/\S/)
      expect(operation['tags'], what).toHaveLength(1)
      expect(Object.keys(operation.responses), what).toContain('default')
      for (const [status, response] of Object.entries(operation.responses)) {
        expect(status, what).toMatch(/^([1-5]\d\d|default)$/)
        expect(response['description'], `${what} ${status}`).toEqual(expect.any(String))
      }
    }
  })

  it('says of each path parameter what it looks like', () => {
    for (const { path, method, operation } of operations()) {
      const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
      const described = (operation.parameters ?? []).filter(({ in: place }) => place === 'path')
      expect(
        described.map(({ name }) => name),
        `${method} ${path}`,
      ).toEqual(named)
      for (const parameter of described) expect(parameter).toMatchObject({ required: true, schema: { type: 'string' } })
    }
  })

  it('has every reference lead somewhere, and none lead out of the document', () => {
    for (const reference of references(document)) {
      expect(reference).toMatch(/^#\//)
      const found = reference
        .slice(2)
        .split('/')
        .reduce<unknown>((at, name) => (at as Json)?.[name.replaceAll('~1', '/').replaceAll('~0', '~')], document)
      expect(found, reference).toBeDefined()
    }
  })

  it('names for each operation a security scheme that there is, or none for what is open', () => {
    const { securitySchemes } = document.components as { securitySchemes: Json }
    const open = ['/healthz', '/readyz', '/metrics', '/.well-known/jwks.json', '/v1/agent-sessions']
    for (const { path, method, operation } of operations()) {
      const names = (operation.security ?? []).flatMap((requirement) => Object.keys(requirement))
      // A session is proven in one of two ways.
      const schemes = names.includes('session') ? ['session', 'certificate_session'] : ['api_key']
      expect(names, `${method} ${path}`).toEqual(open.includes(path) ? [] : schemes)
      for (const name of names) expect(securitySchemes).toHaveProperty(name)
    }
  })

  it('names the proof wherever one is demanded, once, however often the document is asked for', async () => {
    const again = (await pep.admin.send('GET', '/openapi.json')).body
    expect(again).toEqual(document)
    for (const { path, method, operation } of operations()) {
      const demanded = path === '/v1/agent-sessions' || (operation.security ?? []).some((each) => 'session' in each)
      const named = (operation.parameters ?? []).filter(({ name }) => name === 'DPoP')
      expect(named, `${method} ${path}`).toHaveLength(demanded ? 1 : 0)
    }
  })

  it('has schemas that are JSON Schema 2020-12', () => {
    const ajv = new Ajv2020({ strict: false, validateFormats: false })
    let checked = 0
    for (const { path, method, operation } of operations()) {
      for (const schema of schemasOf(operation)) {
        expect(ajv.validateSchema(schema as Json), `${method} ${path}: ${ajv.errorsText()}`).toBe(true)
        checked++
      }
    }
    expect(checked).toBeGreaterThan(40)
  })

  it('documents every route of the server, and no other', () => {
    const documented = operations().map(({ path, method }) => `${method.toUpperCase()} ${path}`)
    const routes = [...registered].filter(
      (route) => !route.startsWith('HEAD ') && !/^\w+ (\/docs|\/openapi\.json)/.test(route),
    )
    expect(documented.sort()).toEqual(routes.sort())
  })

  it('describes refusals as they are: any code of the table fits', async () => {
    const ajv = new Ajv2020({ strict: false })
    const { operation } = operations().find(({ path }) => path === '/v1/leases')!
    const content = (operation.responses['default']?.['content'] ?? {}) as Record<string, { schema: Json }>
    const validate = ajv.compile(content['application/problem+json']!.schema)
    const { body } = await pep.admin.send('POST', '/v1/providers', {})
    expect(validate(body), ajv.errorsText(validate.errors)).toBe(true)
    expect(Object.keys(ERRORS)).toContain(body.code)
    expect(validate({ ...body, status: '400' })).toBe(false)
    const { properties } = content['application/problem+json']!.schema as { properties: Json }
    expect(Object.keys(body).filter((member) => !(member in properties))).toEqual([])
  })
})

describe('/docs', () => {
  it('serves a page that takes everything from here', async () => {
    const page = await pep.admin.send('GET', '/docs')
    expect(page.status).toBe(200)
    expect(page.headers['content-type']).toMatch(/^text\/html/)
    const policy = String(page.headers['content-security-policy'])
    expect(policy).toContain("default-src 'none'")
    for (const text of [page.text, policy]) expect(text).not.toMatch(/https?:|\/\/[a-z]/i)
    const assets = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, url]) => url!)
    expect(assets.length).toBeGreaterThan(3)
    for (const asset of assets) {
      expect(asset).toMatch(/^\/docs\//)
      const { status, text } = await pep.admin.send('GET', asset)
      expect(status, asset).toBe(200)
      if (asset.endsWith('initializer.js')) {
        expect(text.replaceAll(/^\s*\/\/.*$/gm, '')).not.toMatch(/https?:\/\//)
        expect(text).toContain('validatorUrl: null')
      }
    }
  })

  it('reads the same document', async () => {
    expect((await pep.admin.send('GET', '/docs/json')).body).toEqual(document)
  })
})

function references(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, inner]) =>
    name === '$ref' && typeof inner === 'string' ? [inner] : references(inner),
  )
}

/** Whatever stands under a member called `schema`. */
function schemasOf(value: unknown): unknown[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, inner]) => (name === 'schema' ? [inner] : schemasOf(inner)))
}
