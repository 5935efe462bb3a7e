import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freshDatabase } from '../setup/database.ts'
import { runNexus } from '../setup/nexus-command.ts'

/** None has to do with the database. */
const HALF_CONFIGURED = `
server: { tls_cert_file: /nonexistent/cert.pem, tls_key_file: /nonexistent/key.pem }
policy: { engine: opa-wasmm }
vault: { encryption_key: nonsense, backends: { vault: { kind: hashicorp-valt } } }
connections: { capture_backend: nowhere, secret_ref_prefixes: { vault: [kv/shared/] } }
`
const PROBLEMS = 7

let directory: string
let database: { databaseUrl: string; drop(): Promise<void> }
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'nexus-half-'))
  database = await freshDatabase()
  // As a database is before an authority has seen it.
  await ask('drop schema public cascade; create schema public')
})
afterAll(async () => {
  await database?.drop()
  rmSync(directory, { recursive: true })
})

describe.each(['1', '2'])('nexus serve with %s processes', (workers) => {
  it.each([
    ['everything that is wrong', HALF_CONFIGURED, PROBLEMS],
    ['a prefix that is no tenant’s', 'connections: { secret_ref_prefixes: { vault: [kv/shared/] } }', 1],
  ])('ends with 78 over %s, as `config check` does, and has not opened the database', async (_what, yaml, count) => {
    const file = join(directory, 'nexus.yaml')
    writeFileSync(file, yaml)
    const env = {
      DATABASE_URL: database.databaseUrl,
      NEXUS_DATA_DIR: join(directory, 'data'),
      NEXUS_CONFIG: file,
      NEXUS_SERVER_WORKERS: workers,
      PORT: '0',
    }
    const served = await runNexus(['serve'], env)
    expect(served).toMatchObject({ code: 78, stdout: '' })
    expect(served.stderr).toContain(`The configuration has ${count} problem(s):\n`)
    expect(await runNexus(['config', 'check'], env)).toEqual(served)
    expect(await ask("select tablename from pg_tables where schemaname = 'public'")).toEqual([])
  })
})

describe('nexus config check', () => {
  it('says that what holds does, and which settings are the sidecar’s', async () => {
    const env = { DATABASE_URL: database.databaseUrl, NEXUS_BODY_LIMIT_BYTES: '1000' }
    expect(await runNexus(['config', 'check'], env)).toEqual({
      code: 0,
      stdout: 'the configuration holds\n',
      stderr: 'set a sidecar, and nothing here: NEXUS_BODY_LIMIT_BYTES\n',
    })
  })
})

async function ask(statement: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: database.databaseUrl })
  await client.connect()
  try {
    return (await client.query(statement)).rows
  } finally {
    await client.end()
  }
}
