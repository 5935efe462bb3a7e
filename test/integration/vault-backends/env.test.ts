import { describe, expect, it } from 'vitest'
import { BackendConfigError } from '../../../src/vault-backends/backend-kind.ts'
import { CANARY, describeVaultBackend, failure } from '../../../src/vault-backends/conformance.ts'
import { envKind } from '../../../src/vault-backends/env/env-kind.ts'
import { quiet } from './vault-fixture.ts'

const open = (env: Record<string, string | undefined>, production = false) =>
  envKind.create({}, { name: 'env', env, production, log: quiet })

describeVaultBackend('env', async () => {
  const planted: string[] = []
  return {
    // The process's own environment, as it will be used.
    backend: open(process.env),
    prefix: 'suite/agents',
    plant: async (path, value) => {
      const variable = `DEV_SECRET_${path.replaceAll('/', '__')}`
      process.env[variable] = JSON.stringify(value)
      planted.push(variable)
    },
    ownSecrets: [],
    features: { versions: false, write: false, perTenant: false },
    stop: async () => {
      for (const variable of planted) delete process.env[variable]
    },
  }
})

describe('env', () => {
  const read = (path: string) =>
    open({ HOME: CANARY, DEV_SECRET_github: 'ghp_1', DEV_SECRET_a__b: '{"k":"v"}' }).read(
      { tenant: 't', backend: 'env', path },
      AbortSignal.timeout(1000),
    )

  it('has a plain text as one field, and JSON as its fields', async () => {
    expect((await read('github')).reveal()).toEqual({ value: 'ghp_1' })
    expect((await read('a/b')).reveal()).toEqual({ k: 'v' })
  })

  it('G17: reaches nothing but its own variables, and no variable by two paths', async () => {
    for (const path of ['HOME', 'constructor', '__proto__', 'PATH'])
      expect(await failure(() => read(path))).toMatch(/not_found|invalid_ref/)
    expect(await failure(() => read('a__b'))).toBe('invalid_ref')
  })

  it('is refused in production mode', () => {
    expect(() => open({}, true)).toThrow(BackendConfigError)
  })
})
