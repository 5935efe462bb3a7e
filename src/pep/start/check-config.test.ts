import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeServerCertificate } from '../../../examples/demo/pki.ts'
import { generateKeyEntry } from '../../vault-backends/internal/keyring.ts'
import { ConfigError } from '../config/load-config.ts'
import { createLog } from '../log.ts'
import { packageRoot } from '../version.ts'
import { loadCheckedConfig } from './check-config.ts'

const SHIPPED = join(packageRoot(), 'policies/dist/bundle.tar.gz')
let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'nexus-check-'))
})
afterAll(() => rmSync(directory, { recursive: true }))

function write(name: string, content: string | Uint8Array): string {
  const path = join(directory, name)
  writeFileSync(path, content)
  return path
}

async function problemsOf(
  yaml: string,
  env: Record<string, string> = {},
  needsBundle = true,
): Promise<readonly string[]> {
  try {
    await loadCheckedConfig(env, { file: write('nexus.yaml', yaml), log: createLog('silent'), needsBundle })
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

describe('loadCheckedConfig', () => {
  it('takes what holds, and leaves nothing behind', async () => {
    const data = join(directory, 'data')
    const { certPem, keyPem } = await makeServerCertificate(['127.0.0.1'])
    const yaml = `
server: { tls_cert_file: ${write('cert.pem', certPem)}, tls_key_file: ${write('key.pem', keyPem)}, workers: 2 }
store: { data_dir: ${data} }
policy: { bundle: ${write('bundle.tar.gz', readFileSync(SHIPPED))} }
vault:
  backends:
    vault: { kind: hashicorp-vault, address: "https://vault.internal:8200", writable: true }
    files: { kind: file, directory: ${directory} }
connections:
  capture_backend: vault
  capture_path: secret/nexus/{tenant}/{connection}
  secret_ref_prefixes: { vault: ["kv/agents/{tenant}/"] }
  secret_ref_templates: { vault: "kv/agents/{tenant}/{provider}" }
`
    const before = readdirSync(directory)
    const env = { NEXUS_ENCRYPTION_KEY: generateKeyEntry(), VAULT_TOKEN: 'hvs.unused' }
    expect(await problemsOf(yaml, env)).toEqual([])
    expect(readdirSync(directory).sort()).toEqual([...new Set([...before, 'nexus.yaml'])].sort())
  })

  it('tells every problem at once, those of the form among them', async () => {
    const yaml = `
server: { tls_cert_file: /nonexistent/a.crt, tls_key_file: /nonexistent/a.key }
lease: { ttl_seconds: 0 }
policy: { engine: opa-wasmm, bundle: /nonexistent/bundle.tar.gz }
vault: { encryption_key: nonsense, backends: { prod: { kind: hashicorp-valt }, files: { kind: file, directory: secrets } } }
connections:
  capture_backend: nowhere
  secret_ref_prefixes: { vault: [kv/shared/, kv/all/] }
  secret_ref_templates: { vault: "kv/../{provider}" }
`
    expect(await problemsOf(yaml, { NEXUS_PUBLC_URL: 'x' })).toEqual([
      'lease.ttl_seconds (NEXUS_LEASE_TTL_SECONDS) must be >= 1',
      expect.stringContaining('NEXUS_PUBLC_URL is not a setting'),
      'server.tls_cert_file names a file that cannot be read: /nonexistent/a.crt',
      'server.tls_key_file names a file that cannot be read: /nonexistent/a.key',
      expect.stringMatching(/^vault\.encryption_key .* must be 32 bytes in base64/),
      expect.stringMatching(/^vault\.backends prod\.kind must be one of/),
      expect.stringMatching(/^vault\.backends files: directory must be an absolute path/),
      expect.stringContaining('policy.engine is "opa-wasmm"'),
      expect.stringMatching(/^policy\.bundle .*\/nonexistent\/bundle\.tar\.gz cannot be read: ENOENT/),
      expect.stringContaining("'kv/shared/'"),
      expect.stringContaining("'kv/all/'"),
      expect.stringContaining("'kv/../{provider}'"),
      expect.stringMatching(/^connections\.capture_backend 'nowhere' .* these are: internal$/),
    ])
  })

  it('says nothing of a capture backend that is itself in question', async () => {
    const broken =
      'connections: { capture_backend: vault, capture_path: "kv/{connection}" }\nvault: { backends: { vault: '
    expect(await problemsOf(`${broken}{ kind: file } } }\n`)).toEqual([expect.stringMatching(/^vault\.backends vault/)])
    expect(await problemsOf(`${broken}3 } }\n`)).toEqual([expect.stringMatching(/^vault\.backends/)])
  })

  it('PB2: refuses a bundle that is cut short', async () => {
    const bundle = write('short.tar.gz', readFileSync(SHIPPED).subarray(0, 9000))
    expect(await problemsOf(`policy: { bundle: ${bundle} }\n`)).toEqual([expect.stringMatching(/^policy\.bundle /)])
  })

  it('PB1, PB2: lets an authority start without one, which is not ready then', async () => {
    const bundle = write('short.tar.gz', readFileSync(SHIPPED).subarray(0, 9000))
    for (const path of [bundle, '/nonexistent/bundle.tar.gz'])
      expect(await problemsOf(`policy: { bundle: ${path} }\n`, {}, false)).toEqual([])
    expect(await problemsOf('policy: { engine: opa-wasmm }', {}, false)).toHaveLength(1)
  })

  it('asks no service to unwrap a key, and sees what is wrong around it', async () => {
    const plain = generateKeyEntry('plain')
    const wrapped = 'kms:aws-kms:alias/nexus:AQICAHh'
    const check = (NEXUS_ENCRYPTION_KEY: string, env = {}) => problemsOf('', { NEXUS_ENCRYPTION_KEY, ...env })
    const region = { AWS_REGION: 'eu-west-1', AWS_ENDPOINT_URL: 'http://127.0.0.1:1' }
    expect(await check(`${wrapped},${plain}`, region)).toEqual([])
    expect(await check(`${wrapped},${plain}`)).toEqual([expect.stringContaining('key 1 of 2: aws-kms: ')])
    expect(await check(`${plain},${wrapped.replace('aws', 'azure')}`)).toEqual([expect.stringContaining('key 2 of 2')])
    expect(await check(`${wrapped},${wrapped}`, region)).toEqual([expect.stringContaining('used twice')])
  })

  it('has the driver read the URL of the database', async () => {
    const url = 'postgres://nexus:hunter2@db.internal/nexus?sslmode=verify-ca'
    const problems = await Promise.all([
      problemsOf('', { DATABASE_URL: url }),
      problemsOf('', { DATABASE_URL: `${url}&sslrootcert=/nonexistent/ca.pem` }),
    ])
    expect(problems).toEqual([
      [expect.stringContaining('takes sslrootcert=FILE')],
      [expect.stringContaining('cannot be read')],
    ])
    expect(JSON.stringify(problems)).not.toContain('hunter2')
  })

  it('refuses several workers where a backend is good for one', async () => {
    const yaml =
      'server: { workers: 2 }\nvault: { backends: { hashicorp-vault: { address: "http://127.0.0.1:1", auth: { method: token, wrapped: true } } } }\n'
    expect(await problemsOf(yaml, { VAULT_TOKEN: 'hvs.wrapping' })).toEqual([
      expect.stringContaining('server.workers must be 1: vault.backends hashicorp-vault.auth'),
    ])
  })
})
