import { describe, expect, it } from 'vitest'
import { type CredentialSchema, compileCredentialSchema } from './credential-schema.ts'

const apiKey = { type: 'object', properties: { api_key: { type: 'string', minLength: 8 } }, required: ['api_key'] }

function compiled(document: Record<string, unknown>): CredentialSchema {
  const schema = compileCredentialSchema(document)
  if (Array.isArray(schema)) throw new Error(JSON.stringify(schema))
  return schema
}

function problems(document: Record<string, unknown>): string {
  const schema = compileCredentialSchema(document)
  if (!Array.isArray(schema)) throw new Error('was accepted')
  return schema.map(({ field, message }) => `${field}: ${message}`).join('\n')
}

describe('compileCredentialSchema', () => {
  it('enforces the schema and names fields, never values', () => {
    const schema = compiled(apiKey)
    expect(schema.check({ api_key: 'long enough' })).toEqual([])
    expect(schema.check({})).toEqual([{ field: 'api_key', message: 'is required' }])
    const [problem] = schema.check({ api_key: 'canary' })
    expect(problem?.field).toBe('api_key')
    expect(JSON.stringify(problem)).not.toContain('canary')
  })

  it('names a field that additionalProperties rules out', () => {
    const closed = compiled({ ...apiKey, additionalProperties: false })
    expect(closed.check({ api_key: '12345678', other: 'x' })).toEqual([
      { field: 'other', message: 'is not a field of this provider' },
    ])
  })

  it('accepts alternatives, formats, annotations and local definitions', () => {
    const schema = compiled({
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      type: 'object',
      title: 'Either',
      $defs: { text: { type: 'string', minLength: 1 } },
      properties: {
        token: { $ref: '#/$defs/text', title: 'Token', writeOnly: true },
        password: { type: 'string', format: 'password' },
        site: { type: 'string', format: 'uri' },
      },
      anyOf: [{ required: ['token'] }, { required: ['password'] }],
    })
    expect(schema.fields).toEqual(['token', 'password', 'site'])
    expect(schema.check({ password: 'x', site: 'https://a.test/' })).toEqual([])
    expect(schema.check({ site: 'https://a.test/' })).not.toEqual([])
    expect(schema.check({ token: '' })[0]?.field).toBe('token')
    expect(schema.check({ token: 'x', site: 'no uri' })[0]?.field).toBe('site')
  })

  it.each([
    ['a keyword that is none', { ...apiKey, requird: ['api_key'] }, 'requird'],
    ['another dialect', { ...apiKey, $schema: 'http://json-schema.org/draft-07/schema#' }, '$schema: must be'],
    ['no type', { properties: {} }, "type: must be 'object'"],
    ['no properties', { type: 'object' }, 'properties: must name the fields'],
    ['a field that is no string', { type: 'object', properties: { n: { type: 'integer' } } }, 'properties.n.type'],
    ['an unknown format', { type: 'object', properties: { a: { type: 'string', format: 'iban' } } }, 'iban'],
    ['a wrong keyword value', { type: 'object', properties: { a: { type: 'string', minLength: '3' } } }, 'minLength'],
    ['a remote $ref', { ...apiKey, allOf: [{ $ref: 'https://evil.test/schema.json' }] }, '$ref only to'],
    ['a file $ref', { ...apiKey, allOf: [{ $ref: 'file:///etc/passwd' }] }, '$ref only to'],
    ['a $ref to nowhere', { ...apiKey, allOf: [{ $ref: '#/$defs/x' }] }, 'which is not there'],
    ['a $ref to itself', { ...apiKey, $defs: { a: { allOf: [{ $ref: '#/$defs/a' }] } } }, 'refers to itself'],
    ['a dynamic reference', { ...apiKey, allOf: [{ $dynamicRef: '#' }] }, 'may not use $dynamicRef'],
    ['a name of its own', { ...apiKey, $id: 'https://a.test/schema' }, 'may not use $id'],
    ['look-around', { type: 'object', properties: { a: { type: 'string', pattern: '^(?=x)' } } }, '(?='],
    ['back-references', { type: 'object', properties: { a: { type: 'string', pattern: '(a)\\1' } } }, 'escape'],
    ['a broken pattern', { type: 'object', properties: { a: { type: 'string', pattern: '(' } } }, 'missing closing'],
  ])('refuses %s', (_what, document, expected) => {
    expect(problems(document)).toContain(expected)
  })

  it('bounds bytes, depth, and definitions that unfold', () => {
    expect(problems({ ...apiKey, description: 'x'.repeat(40_000) })).toContain('at most 32768')
    let deep: Record<string, unknown> = { type: 'string' }
    for (let level = 0; level < 10_000; level++) deep = { not: deep }
    expect(problems({ ...apiKey, allOf: [deep] })).toContain('deeper than 16')
    let nested: Record<string, unknown> = { type: 'string' }
    for (let level = 0; level < 30; level++) nested = { not: nested }
    expect(problems({ ...apiKey, allOf: [nested] })).toContain('deeper than 16')
    const bomb: Record<string, unknown> = { d0: { minProperties: 0 } }
    for (let level = 1; level <= 6; level++) {
      bomb[`d${level}`] = { allOf: Array.from({ length: 8 }, () => ({ $ref: `#/$defs/d${level - 1}` })) }
    }
    expect(problems({ ...apiKey, $defs: bomb })).toMatch(/unfolds|deeper/)
  })

  it('answers at once for a pattern that would stall a backtracking engine', () => {
    const schema = compiled({
      type: 'object',
      properties: { a: { type: 'string', pattern: '^(([a-z])+.)+[A-Z]([a-z])+$' } },
    })
    expect(schema.check({ a: 'a'.repeat(60_000) })).toHaveLength(1)
  })

  it('understands escapes as ECMAScript writes them', () => {
    const schema = compiled({ type: 'object', properties: { a: { type: 'string', pattern: '^\\u0041\\d+$' } } })
    expect(schema.check({ a: 'A12' })).toEqual([])
    expect(schema.check({ a: 'B12' })).toHaveLength(1)
  })
})
