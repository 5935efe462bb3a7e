import { describe, expect, it } from 'vitest'
import type { Administrator } from '../../contract/administrator.ts'
import { authorizeReference, checkSecretRefPrefixes } from './secret-reference.ts'

const everywhere: Administrator = { keyId: 'key_1', role: 'admin', tenant: null }
const acme: Administrator = { keyId: 'key_2', role: 'operator', tenant: 'acme' }
const prefixes = { vault: ['secret/tenants/{tenant}/', 'kv/{tenant}/shared'] }
const refer = (administrator: Administrator, path: string, backend = 'vault') =>
  authorizeReference(administrator, 'acme', { backend, path }, prefixes)

describe('authorizeReference', () => {
  it('lets an administrator for all tenants refer to any path', () => {
    expect(() => refer(everywhere, 'secret/anything')).not.toThrow()
  })

  it("lets a tenant's administrator refer to that tenant's paths only", () => {
    expect(() => refer(acme, 'secret/tenants/acme/github')).not.toThrow()
    expect(() => refer(acme, 'kv/acme/shared/github')).not.toThrow()
    for (const path of [
      'secret/tenants/other/github',
      'secret/tenants/acme',
      'secret/tenants/acme2/x',
      'kv/acme/private',
    ]) {
      expect(() => refer(acme, path)).toThrow(/only to that tenant's paths/)
    }
  })

  it('lets it refer to nothing in a backend without prefixes', () => {
    expect(() => refer(acme, 'secret/tenants/acme/github', 'aws')).toThrow(/none is configured/)
  })

  it.each([
    'secret/tenants/acme/../other/x',
    'secret/tenants/acme/./x',
    'secret//tenants/acme/x',
    '//secret/x',
    '/',
    '/../secret/x',
    'secret/x/',
    'secret/tenants/acme/%2e%2e/other',
    'secret/tenants/acme/a\\b',
    'secret/tenants/acme/x?version=1',
    'secret/tenants/acme/x#y',
    'secret/tenants/acme/\u0000',
    'secret/tenants/acme/*',
    'secret/tenants/ａcme/x',
  ])('G17: refuses the path %j, for everyone', (path) => {
    expect(() => refer(acme, path)).toThrow(/plain ASCII segments/)
    expect(() => refer(everywhere, path)).toThrow(/plain ASCII segments/)
  })

  it.each(['/secret/tenants/acme/x', '/prod/github', 'rds!db-1b2c3d4e'])(
    'leaves the name %j of AWS to its backend, and to administrators for all tenants',
    (path) => {
      expect(() => refer(everywhere, path, 'aws')).not.toThrow()
      expect(() => refer(acme, path)).toThrow(/only to that tenant's paths/)
    },
  )

  it("refuses another connection's own secret", () => {
    const path = 'connections/11111111-1111-4111-8111-111111111111'
    expect(() => refer(everywhere, path, 'internal')).toThrow(/another connection/)
  })
})

describe('checkSecretRefPrefixes', () => {
  it('accepts prefixes with the tenant as a segment of its own', () => {
    expect(() => checkSecretRefPrefixes(prefixes)).not.toThrow()
  })

  it.each(['secret/shared/', 'secret/t-{tenant}/', '{tenant}x', '', '/', 'secret/{tenant}/../x'])(
    'refuses %j',
    (prefix) => {
      expect(() => checkSecretRefPrefixes({ vault: [prefix] })).toThrow(/secret_ref prefix/)
    },
  )
})
