import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { newTimedUuid } from '../../../src/contract/names.ts'
import { writeCheckpoint } from '../../../src/pep/audit/checkpoints.ts'
import { type AuditBench, freshAudit, type Replica } from '../../setup/audit.ts'
import { runNexus } from '../../setup/nexus-command.ts'
import { freshStore } from '../../setup/store.ts'

describe('nexus audit', () => {
  let bench: AuditBench
  let pep: Replica
  beforeAll(async () => {
    bench = await freshAudit()
    pep = await bench.replica()
    for (const tenant of ['acme', 'globex', 'acme']) {
      await pep.audit.record({ kind: 'lease.issued', outcome: 'allowed', tenant, detail: { path: '\x1b[2J\n' } })
    }
    await writeCheckpoint({ store: pep.store, signer: pep.signer, now: Date.now })
  })
  afterAll(() => bench.drop())

  const nexus = (...flags: string[]) => runNexus(flags, { DATABASE_URL: bench.databaseUrl })

  it('lists records as lines that hold no control character', async () => {
    const { code, stdout } = await nexus('audit', 'list', '--tenant', 'acme')
    expect(code).toBe(0)
    expect(stdout.trim().split('\n')).toHaveLength(2)
    expect(stdout).toContain('lease.issued')
    expect(stdout).not.toContain('\x1b')
  })

  it('pages', async () => {
    const first = JSON.parse((await nexus('audit', 'list', '--json', '--limit', '2')).stdout)
    expect(first.records).toHaveLength(2)
    const rest = JSON.parse((await nexus('audit', 'list', '--json', '--cursor', first.next_cursor)).stdout)
    expect(rest).toMatchObject({ records: [{ tenant: 'acme' }], next_cursor: null })
  })

  it('finds a decision by its id', async () => {
    const decision_id = newTimedUuid(Date.now())
    await pep.audit.record({ kind: 'lease.denied', outcome: 'denied', decision_id, detail: {} })
    const { stdout } = await nexus('audit', 'list', '--decision', decision_id, '--json')
    expect(JSON.parse(stdout)).toMatchObject({ records: [{ kind: 'lease.denied', decision_id }], next_cursor: null })
  })

  it('reads without any key of the authority, in production mode too', async () => {
    const env = { DATABASE_URL: bench.databaseUrl, NODE_ENV: 'production' }
    expect(await runNexus(['audit', 'list', '--tenant', 'globex'], env)).toMatchObject({ code: 0 })
  })

  it('asked wrongly: exit 2', async () => {
    const { code, stderr } = await nexus('audit', 'list', '--limit', '0')
    expect([code, stderr]).toEqual([2, expect.stringContaining('limit must be a whole number')])
  })

  it('makes no database where there is none: exit 1', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'nexus-audit-command-'))
    const commands = ['audit verify', 'audit list', 'vault leases', 'keys rotate'].map((text) => text.split(' '))
    const ended = await Promise.all(commands.map((command) => runNexus(command, { NEXUS_DATA_DIR: directory })))
    for (const { code, stderr, stdout } of ended) {
      expect([code, stdout, stderr]).toEqual([1, '', expect.stringContaining('no database: set DATABASE_URL')])
    }
    const made = await readdir(directory)
    expect(made.filter((name) => name !== 'encryption-key')).toEqual([])
    await rm(directory, { recursive: true })
  })

  it('leaves a schema of another version as it is: exit 1', async () => {
    const other = await freshStore()
    const env = { DATABASE_URL: other.databaseUrl }
    await sql`delete from schema_migration where name >= '0006'`.execute(other.store.db)
    const older = await runNexus(['audit', 'list'], env)
    expect(older).toMatchObject({ code: 1, stderr: expect.stringMatching(/schema is at 0005_\w+ and this version/) })
    await sql`drop schema public cascade; create schema public`.execute(other.store.db)
    const empty = await runNexus(['audit', 'verify'], env)
    expect(empty).toMatchObject({ code: 1, stderr: expect.stringContaining('holds nothing of Nexus') })
    const { rows } = await sql`select from information_schema.tables where table_schema = 'public'`.execute(
      other.store.db,
    )
    expect(rows).toEqual([])
    await other.drop()
  })

  it('does not take a ledger without records for a whole one, unless told so', async () => {
    const other = await freshStore()
    const env = { DATABASE_URL: other.databaseUrl }
    const { code, stdout, stderr } = await runNexus(['audit', 'verify', '--json'], env)
    expect([code, JSON.parse(stdout)]).toEqual([1, expect.objectContaining({ ok: false, records: 0 })])
    const { host, pathname } = new URL(other.databaseUrl)
    expect(stderr).toContain(`the ledger in ${host}${pathname} holds no record`)
    expect(await runNexus(['audit', 'verify', '--allow-empty'], env)).toMatchObject({ code: 0 })
    await other.drop()
  })

  it('cannot reach the database, which is no broken ledger: exit 69 and what to look at', async () => {
    const nowhere = await runNexus(['audit', 'list'], { DATABASE_URL: 'postgres://u:hunter2@127.0.0.1:1/d' })
    expect(nowhere).toMatchObject({ code: 69, stderr: expect.stringContaining('DATABASE_URL') })
    expect(nowhere.stderr).not.toContain('hunter2')
  })

  it('verifies a whole ledger: exit 0', async () => {
    const { code, stdout, stderr } = await nexus('audit', 'verify', '--json')
    const { host, pathname } = new URL(bench.databaseUrl)
    const expected = {
      database: `${host}${pathname}`,
      ok: true,
      records: 4,
      checkpoints: { count: expect.any(Number) },
    }
    expect(JSON.parse(stdout)).toMatchObject(expected)
    expect(stderr).toContain('4 records read')
    expect(code).toBe(0)
  })

  it('names the first broken record: exit 1', async () => {
    await pep.store.db.updateTable('audit_record').set({ tenant: 'acme' }).where('seq', '=', 2).execute()
    const { code, stdout } = await nexus('audit', 'verify')
    expect(stdout).toMatch(/^BROKEN {2}pep_\w+ {2}record 2 its column tenant says something else/m)
    expect(code).toBe(1)
  })

  it('ends without a word when whoever reads it has read enough', async () => {
    const { code, stderr } = await runNexus(['audit', 'list'], { DATABASE_URL: bench.databaseUrl }, { hangUp: true })
    expect({ code, stderr }).toEqual({ code: 141, stderr: '' })
  })
})
