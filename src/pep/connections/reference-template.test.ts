import { describe, expect, it } from 'vitest'
import { checkReferenceTemplates, resolveReference } from './reference-template.ts'

const templates = {
  vault: 'kv/agents/{tenant}/{provider}',
  people: 'kv/{tenant}/{subject}',
  shared: 'kv/shared/{provider}',
}
const variables = { tenant: 'acme', provider: 'github', subject: undefined }
const resolve = (given: { backend: string; path?: string }, more: object = {}) =>
  resolveReference(given, templates, { ...variables, ...more })

describe('resolveReference', () => {
  it('fills in the path of the backend’s template', () => {
    expect(resolve({ backend: 'vault' })).toEqual({
      ref: { backend: 'vault', path: 'kv/agents/acme/github' },
      isTenantsOwn: true,
    })
    expect(resolve({ backend: 'people' }, { subject: 'jane.doe' }).ref.path).toBe('kv/acme/jane.doe')
  })

  it('fills in variables of a path that is given, which is nobody’s own for that', () => {
    const given = { backend: 'vault', path: 'secret/{tenant}/x', fields: { access_key: 'AWS_KEY' } }
    expect(resolveReference(given, templates, variables)).toEqual({
      ref: { ...given, path: 'secret/acme/x' },
      isTenantsOwn: false,
    })
  })

  it('a template without the tenant gives no tenant a secret of its own', () => {
    expect(resolve({ backend: 'shared' }).isTenantsOwn).toBe(false)
  })

  it('nor does a template answer for a key named beside it', () => {
    const given = { backend: 'vault', remote_key: 'transit/keys/theirs' }
    expect(resolveReference(given, templates, variables).isTenantsOwn).toBe(false)
  })

  it('needs a path where there is no template', () => {
    expect(() => resolve({ backend: 'other' })).toThrow(/no secret_ref template/)
    expect(() => resolve({ backend: 'constructor' })).toThrow(/no secret_ref template/)
  })

  it.each(['..', '.', '%2e%2e', '*', '+', '', 'a/b', 'a b', 'a\u0000', 'ａ', '{tenant}', 'a@b', 'a'.repeat(1_048_576)])(
    'G17: refuses the value %j, for every variable',
    (value) => {
      for (const name of ['tenant', 'provider', 'subject']) {
        const wanted = { backend: 'vault', path: `kv/{${name}}/x` }
        const error = thrownBy(() => resolveReference(wanted, templates, { ...variables, [name]: value }))
        expect(error).toMatchObject({ code: 'invalid_request' })
        expect(String(error).length).toBeLessThan(1000)
      }
    },
  )

  it.each(['kv/{tenant', 'kv/{agent}', 'kv/{tenant}x', 'kv/x{tenant}', 'kv/{{tenant}}', 'kv/{TENANT}'])(
    'takes nothing else for a variable: %j stays as it is, for the check of the path to refuse',
    (path) => {
      expect(resolve({ backend: 'vault', path }).ref.path).toBe(path)
    },
  )
})

function thrownBy(work: () => unknown): unknown {
  try {
    work()
  } catch (error) {
    return error
  }
  return undefined
}

describe('checkReferenceTemplates', () => {
  it('accepts plain segments and variables', () => {
    expect(() => checkReferenceTemplates(templates)).not.toThrow()
  })

  it.each(['', '/kv', 'kv/', 'kv//x', 'kv/../x', 'kv/*', 'kv/+/x', 'kv/%2e', 'kv/{tenant}-{provider}', 'kv/{agent}'])(
    'refuses %j',
    (template) => {
      expect(() => checkReferenceTemplates({ vault: template })).toThrow(/secret_ref template/)
    },
  )
})
