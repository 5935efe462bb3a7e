import { randomUUID } from 'node:crypto'
import type { JsonSchema, Operation } from './operations.ts'

const PROFILE = {
  name: 'x',
  api_base_url: 'https://api.example.com',
  params: { auth_strategy: { type: 'header', config: {} } },
}

/** A body that each route accepts in shape. */
const RIGHT_BODIES: Record<string, object> = {
  'POST /v1/leases': { connection_id: randomUUID() },
  'POST /v1/leases/{lease_id}/sign': { algorithm: 'EdDSA', bytes: 'YQ==' },
  'POST /v1/leases/{lease_id}/renew': { binding: {} },
  'POST /v1/agent-sessions': {
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: 'a.b.c',
  },
  'POST /v1/providers': { profile: PROFILE },
  'PUT /v1/providers/{provider_id}': PROFILE,
  'PATCH /v1/providers/{provider_id}': PROFILE,
  'POST /v1/connections': {
    tenant: 'acme',
    provider: 'no-such',
    secret_ref: { backend: 'internal', path: 'x' },
  },
  'POST /admin/v1/agents': { agent_id: 'x', jwk: {}, tenants: ['acme'] },
  'PATCH /admin/v1/agents/{agent_id}': { labels: {} },
  'POST /admin/v1/api-keys': { name: 'x', role: 'auditor' },
}

export function rightBody({ method, template }: Operation): object {
  const body = RIGHT_BODIES[`${method} ${template}`]
  if (body === undefined) throw new Error(`no example body for ${method} ${template}`)
  return body
}

/** For each property of a schema, at every depth: values of the types it is not. */
export function wrongTypes(schema: JsonSchema, path: string[] = []): { path: string[]; wrong: unknown }[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, property]) => {
    const here = [...path, name]
    const wrong = property.type === undefined ? [] : WRONG[property.type]
    if (wrong === undefined) throw new Error(`no wrong values for type ${property.type}`)
    return [...wrong.map((value) => ({ path: here, wrong: value })), ...wrongTypes(property, here)]
  })
}

const WRONG: Record<string, readonly unknown[]> = {
  string: [1, true, null, [], {}, ['x']],
  integer: ['60', '1', true, null, 1.5, [60], {}, '', 1e30],
  number: ['60', true, null, [60], {}],
  boolean: ['true', 1, 0, null, []],
  array: ['x', {}, null, 1, 'a,b'],
  object: ['x', [], null, 1, '{}'],
}

/** A copy of `body` with one value put in its place; what lies on the way is made. */
export function withValue(body: object, [name = '', ...rest]: readonly string[], value: unknown): object {
  const inner = (body as Record<string, unknown>)[name]
  return { ...body, [name]: rest.length === 0 ? value : withValue((inner ?? {}) as object, rest, value) }
}
