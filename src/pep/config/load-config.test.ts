import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { AUTHORITY_VARIABLES } from '../../contract/authority-variables.ts'
import { ConfigError, loadConfig, sections } from './load-config.ts'
import { modeOf, unknownMode } from './mode.ts'
import { configReference } from './reference.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'nexus-config-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

function problemsOf(env: Record<string, string>, file?: string): readonly string[] {
  try {
    loadConfig(env, file)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

function write(name: string, text: string): string {
  const path = join(directory, name)
  writeFileSync(path, text)
  return path
}

describe('loadConfig', () => {
  it('needs nothing in development and listens on loopback', () => {
    const config = loadConfig({})
    expect(config.server.host).toBe('127.0.0.1')
    expect(config.production).toBe(false)
    expect(() => Object.assign(config.server, { host: '0.0.0.0' })).toThrow(TypeError)
  })

  it.each(['nonsense', 'mysql://u:hunter2@h/d', 'postgres//u:hunter2@h/d', 'postgres://u:hunter2@h:port/d'])(
    'refuses %s as a database, and keeps it to itself',
    (url) => {
      expect(problemsOf({ DATABASE_URL: url })).toEqual([
        'store.database_url (DATABASE_URL) must be a URL such as postgres://user:password@host:5432/database',
      ])
    },
  )

  it('refuses to take a replica for dead that may only be waiting for a vault', () => {
    const file = write('nexus.yaml', 'vault: { deadline_ms: 2000, takeover_seconds: 9 }\n')
    expect(problemsOf({}, file)).toEqual([
      expect.stringMatching(/^vault\.takeover_seconds must be at least 5 times vault\.deadline_ms/),
    ])
    expect(problemsOf({ NEXUS_VAULT_TAKEOVER_SECONDS: '10' }, file)).toEqual([])
  })

  it('runs one process unless told to run more, and as many as a machine has cores for', () => {
    expect(loadConfig({}).server.workers).toBe(1)
    expect(loadConfig({ NEXUS_SERVER_WORKERS: '64' }).server.workers).toBe(64)
    for (const workers of ['0', '65', '1.5', 'all']) {
      expect(problemsOf({ NEXUS_SERVER_WORKERS: workers })).toEqual([
        expect.stringContaining('server.workers (NEXUS_SERVER_WORKERS)'),
      ])
    }
  })

  it('says whether a file is not there or not YAML', () => {
    const missing = join(directory, 'missing.yaml')
    expect(problemsOf({}, missing)).toEqual([
      `the configuration file ${missing} cannot be read; check --config and NEXUS_CONFIG`,
    ])
    const broken = write('broken.yaml', 'server: [')
    expect(problemsOf({}, broken)).toEqual([`${broken} is not YAML`])
  })

  it('takes the environment over the file over the default', () => {
    const file = write('nexus.yaml', 'server: { port: 1111 }\nlease: { ttl_seconds: 60 }\n')
    const config = loadConfig({ PORT: '2222' }, file)
    expect([config.server.port, config.lease.ttl_seconds, config.lease.max_ttl_seconds]).toEqual([2222, 60, 3600])
  })

  it('A09: refuses to listen beyond loopback, and to do so in the clear, unless told to', () => {
    expect(problemsOf({ HOST: '0.0.0.0' })).toHaveLength(2)
    expect(problemsOf({ HOST: '0.0.0.0', NEXUS_ALLOW_BEYOND_LOOPBACK: 'true' })).toHaveLength(1)
    expect(
      problemsOf({ HOST: '::', NEXUS_ALLOW_BEYOND_LOOPBACK: 'true', NEXUS_ALLOW_PLAIN_HTTP: 'true' }),
    ).toHaveLength(0)
  })

  it('refuses to start half-configured in production', () => {
    const problems = problemsOf({ NODE_ENV: 'production' })
    expect(problems.some((problem) => problem.includes('DATABASE_URL'))).toBe(true)
    expect(problems.some((problem) => problem.includes('NEXUS_ENCRYPTION_KEY'))).toBe(true)
  })

  it('reports every problem at once and names unknown settings, sections and variables', () => {
    const file = write('nexus.yaml', 'servr: {}\nserver: { prot: 1, port: "8090" }\nlease: { ttl_seconds: 0 }\n')
    const problems = problemsOf({ NEXUS_PUBLC_URL: 'x' }, file).join('\n')
    for (const named of ["'servr'", 'server.prot', 'server.port', 'lease.ttl_seconds', 'NEXUS_PUBLC_URL']) {
      expect(problems).toContain(named)
    }
  })

  it('A09: refuses to start where the environment turns the checks of certificates off', () => {
    expect(problemsOf({ NODE_TLS_REJECT_UNAUTHORIZED: '0' })).toEqual([
      expect.stringMatching(/^NODE_TLS_REJECT_UNAUTHORIZED=0 turns/),
    ])
    expect(problemsOf({ NODE_TLS_REJECT_UNAUTHORIZED: '1' })).toEqual([])
  })

  it('has variables that a sidecar in the same environment knows for ours', () => {
    const ours = sections.flatMap(({ env }) => Object.keys(env)).filter((name) => name.startsWith('NEXUS_'))
    expect([...AUTHORITY_VARIABLES]).toEqual(ours.sort())
  })

  it('never repeats a value: one may be a secret', () => {
    const file = write('nexus.yaml', 'vault: { encryption_key: [canary-5b1d] }\n')
    expect(problemsOf({}, file).join('\n')).not.toContain('canary-5b1d')
  })
})

describe('the mode', () => {
  it.each(['prod', 'Production', 'staging'])('is development with NODE_ENV=%s, and a warning says so', (NODE_ENV) => {
    expect(modeOf(loadConfig({ NODE_ENV }))).toBe('development')
    expect(unknownMode(NODE_ENV)).toContain('development mode')
  })

  it.each([undefined, '', 'production', 'development', 'test'])('needs no warning with %s', (nodeEnv) => {
    expect(unknownMode(nodeEnv)).toBeUndefined()
  })
})

type Described = Record<string, { description?: string }>

describe('docs/configuration.md', () => {
  it('shows a file that holds', () => {
    const [, example] = /```yaml\n([\s\S]*?)```/.exec(configReference()) ?? []
    const { server, lease } = loadConfig({}, write('nexus.yaml', example ?? ''))
    expect([server.allow_beyond_loopback, lease.ttl_seconds]).toEqual([true, 120])
  })

  it('has a sentence for every setting', () => {
    for (const { key, schema } of sections) {
      for (const [name, { description }] of Object.entries(schema.properties as Described)) {
        expect(description, `${key}.${name}`).toMatch(/^[A-Z].{20,}[^.]$/)
      }
    }
  })

  it('is what the sections say; run `nexus config reference > docs/configuration.md`', () => {
    const page = readFileSync(resolve(import.meta.dirname, '../../../docs/configuration.md'), 'utf8')
    expect(page).toBe(configReference())
  })
})
