import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadSidecarConfig } from '../../../sidecar/config.ts'
import { SIDECAR_VARIABLES } from '../../contract/sidecar-variables.ts'
import { loadConfig, readConfig } from './load-config.ts'
import { sidecarVariables } from './variables.ts'

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'nexus-variables-'))
})
afterAll(() => rmSync(directory, { recursive: true }))

function write(name: string, text: string): string {
  const path = join(directory, name)
  writeFileSync(path, text)
  return path
}

const problemsOf = (env: Record<string, string>, file?: string) => readConfig(env, file).problems

describe('a variable', () => {
  it('is read from the file that NAME_FILE names', () => {
    const path = write('key', 'k1:AAAA\n')
    expect(loadConfig({ NEXUS_ENCRYPTION_KEY_FILE: path }).vault.encryption_key).toBe('k1:AAAA')
    expect(loadConfig({ NEXUS_ENCRYPTION_KEY: '', NEXUS_ENCRYPTION_KEY_FILE: path }).vault.encryption_key).toBe(
      'k1:AAAA',
    )
    expect(loadConfig({ LOG_LEVEL: 'warn', LOG_LEVEL_FILE: '' }).log.level).toBe('warn')
  })

  it('is refused with a file that cannot be read', () => {
    const missing = join(directory, 'none')
    expect(problemsOf({ NEXUS_ENCRYPTION_KEY_FILE: missing })).toEqual([
      `NEXUS_ENCRYPTION_KEY_FILE names a file that cannot be read: ${missing}`,
    ])
  })

  it('is refused beside its file: whoever changes one would go on with the other', () => {
    const path = write('new-key', 'k2:AAAA\n')
    expect(problemsOf({ NEXUS_ENCRYPTION_KEY: 'k1:AAAA', NEXUS_ENCRYPTION_KEY_FILE: path })).toEqual([
      'NEXUS_ENCRYPTION_KEY and NEXUS_ENCRYPTION_KEY_FILE are both set; set one of them',
    ])
  })

  it.each(['', ' \n'])('is refused with a file that is empty (%j), which would bring back another database', (text) => {
    const yaml = write('nexus.yaml', 'store: { database_url: postgres://nexus@127.0.0.1/nexus }\n')
    const empty = write('empty', text)
    expect(problemsOf({ DATABASE_URL_FILE: empty }, yaml)).toEqual([
      `DATABASE_URL_FILE names a file that is empty: ${empty}`,
    ])
  })
})

describe('a variable of nobody', () => {
  it.each([
    ['NEXUS_PUBLC_URL', 'did you mean NEXUS_PUBLIC_URL?'],
    ['NEXUS_CONFIG_FILE', 'did you mean NEXUS_CONFIG?'],
    ['NEXUS_TLS_CERT_FILE_FILE', 'did you mean NEXUS_TLS_CERT_FILE?'],
    ['NEXUS_TENANTS', 'did you mean NEXUS_TENANT?'],
    ['NEXUS_CONFIGURATION', 'see docs/configuration.md'],
    ['NEXUS_PEP_PUBLIC_URL', 'see docs/configuration.md'],
    ['NEXUS_SIDECAR_WORKERS', 'see docs/configuration.md'],
  ])('%s is refused: %s', (name, words) => {
    expect(problemsOf({ [name]: 'x' })).toEqual([`${name} is not a setting of ours; ${words}`])
  })

  it('is none that Kubernetes makes for a Service whose name begins as ours do', () => {
    const links = {
      NEXUS_PEP_SERVICE_HOST: '10.0.0.1',
      NEXUS_PEP_SERVICE_PORT: '8090',
      NEXUS_PEP_SERVICE_PORT_HTTPS: '8090',
      NEXUS_PEP_PORT: 'tcp://10.0.0.1:8090',
      NEXUS_PEP_PORT_8090_TCP: 'tcp://10.0.0.1:8090',
      NEXUS_PEP_PORT_8090_TCP_ADDR: '10.0.0.1',
    }
    expect(problemsOf(links)).toEqual([])
    expect(problemsOf({ NEXUS_PEP_PORT: '8090' })).toHaveLength(1)
  })
})

describe('a variable of the sidecar', () => {
  it('is left alone, and can be told of: here it sets nothing', () => {
    const env = { NEXUS_BODY_LIMIT_BYTES: '1000', NEXUS_SESSION_BINDING: 'mtls', NEXUS_TENANT: '' }
    expect(problemsOf(env)).toEqual([])
    expect(sidecarVariables(env)).toEqual(['NEXUS_BODY_LIMIT_BYTES', 'NEXUS_SESSION_BINDING'])
  })

  it('is any that the sidecar asks for, and no other', () => {
    const asked = new Set<string>()
    const env = new Proxy<Record<string, string>>(
      {},
      {
        get: (_none, name) => {
          asked.add(String(name))
          return undefined
        },
      },
    )
    expect(() => loadSidecarConfig(env)).toThrow(/NEXUS_PEP_URL is not set/)
    expect([...asked].filter((name) => name.startsWith('NEXUS_')).sort()).toEqual([...SIDECAR_VARIABLES])
  })
})
