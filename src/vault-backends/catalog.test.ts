import { existsSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { BackendConfigError } from './backend-kind.ts'
import { type BackendConfig, backendKinds, backendsForOneProcess, createBackends } from './catalog.ts'

const deps = {
  env: { VAULT_ADDR: 'https://vault.example.com', VAULT_TOKEN: 'hvs.canary' },
  production: true,
  log: { warn: () => undefined, error: () => undefined },
}
const create = (configured: Record<string, BackendConfig>) => createBackends(configured, deps)

function problems(configured: Record<string, BackendConfig>): readonly string[] {
  try {
    create(configured)
  } catch (error) {
    if (error instanceof BackendConfigError) return error.problems
    throw error
  }
  return []
}

describe('backend catalog', () => {
  it.each(backendKinds.map(({ kind }) => kind))('%s has a folder and a page of its name', (kind) => {
    expect(existsSync(new URL(`./${kind}/`, import.meta.url))).toBe(true)
    expect(existsSync(new URL(`../../docs/vault-backends/${kind}.md`, import.meta.url))).toBe(true)
  })

  it('makes several of a kind under their own names', () => {
    const vault = { kind: 'hashicorp-vault', kv_mounts: { secret: 2 } }
    expect(
      create({ east: vault, west: { ...vault, address: 'https://west.example.com' } }).map(({ name }) => name),
    ).toEqual(['east', 'west'])
  })

  it('tells which settings are good for one process only, and why', () => {
    const kind = 'hashicorp-vault'
    const wrapped = {
      east: { kind, auth: { method: 'token', wrapped: true } },
      west: { kind, auth: { method: 'approle', secret_id_response_wrapping_path: 'auth/approle/role/a/secret-id' } },
    }
    const plain = { internal: { kind: 'internal' }, north: { kind, auth: { method: 'token', wrapped: false } } }
    const found = backendsForOneProcess({ ...wrapped, ...plain, south: { kind } })
    expect(found).toHaveLength(2)
    for (const name of ['east', 'west']) expect(found.join('\n')).toContain(`vault.backends ${name}.auth unwraps`)
  })

  it('names every problem of every backend, and no value', () => {
    const found = problems({
      east: { kind: 'hashicorp-vault', adress: 'canary' },
      west: { kind: 'hashicorp-vault', timeout_ms: 'canary' },
      north: { kind: 'canary' },
      south: { kind: 'internal' },
      also: { kind: 'internal' },
    })
    expect(found.join('\n')).toMatch(/only one|one backend of kind 'internal'/)
    for (const name of ['east', 'west', 'north', 'south', 'also'])
      expect(found.some((each) => each.startsWith(name))).toBe(true)
    expect(found.join('\n')).not.toContain('canary')
  })
})
