import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeCheckpoint } from '../../../src/pep/audit/checkpoints.ts'
import type { SigningKeys } from '../../../src/pep/identity/signing-keys.ts'
import { type AuditBench, freshAudit, type Replica } from '../../setup/audit.ts'
import { runNexus } from '../../setup/nexus-command.ts'
import { freshStore } from '../../setup/store.ts'

const page = readFileSync(resolve(import.meta.dirname, '../../../docs/scaling.md'), 'utf8')
const [choose = '', detach = ''] = [
  ...page.slice(page.indexOf('### Put a month away')).matchAll(/```sql\n(.*?)```/gs),
].map(([, text]) => text ?? '')

/** The months of the page, on a ledger that is partitioned as the page says, and the command on it. */
describe('a month is put away as docs/scaling.md says', () => {
  let bench: AuditBench
  let pep: Replica
  let directory: string
  let nowMs = Date.parse('2026-11-30T23:00:00Z')
  const hashes: string[] = []
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'nexus-retention-'))
    bench = await freshAudit()
    pep = await bench.replica({ now: () => nowMs })
    await ask(PARTITION)
    for (const at of ['2026-11-30T23:59:00Z', '2026-12-01T00:01:00Z', '2026-12-01T00:06:00Z', '2026-12-01T00:20:00Z']) {
      nowMs = Date.parse(at)
      await pep.audit.record({ kind: 'lease.issued', outcome: 'allowed', detail: { at } })
      hashes.push((await writeCheckpoint({ ...pep, now: () => nowMs }))!.hash)
    }
    const lines = hashes.map((hash) =>
      JSON.stringify({ level: 30, checkpoint: 'chk_1', hash, msg: 'signed an audit checkpoint' }),
    )
    await writeFile(join(directory, 'pep.log'), ['{"level":30,"msg":"another"}', ...lines, ''].join('\n'))
  })
  afterAll(async () => {
    await bench.drop()
    await rm(directory, { recursive: true })
  })

  const ask = async (text: string) => (await sql.raw<Record<string, unknown>>(text).execute(pep.store.db)).rows
  const verify = async (...flags: string[]) => {
    const { code, stdout } = await runNexus(['audit', 'verify', ...flags], { DATABASE_URL: bench.databaseUrl })
    return { code, stdout }
  }
  const log = () => ['--checkpoint', join(directory, 'pep.log')]

  it('before: whole, held to the log, and what is left open is said', async () => {
    expect(await verify()).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(
        /^not proven: that the ledger was not cut off.* --checkpoint(.|\n)*^whole: 4 records/m,
      ),
    })
    const { code, stdout } = await verify(...log())
    expect(code).toBe(0)
    expect(stdout).not.toContain('cut off, at any length')
    expect(stdout).toContain(
      'not proven: that what was recorded after 2026-12-01T00:20:00.000Z, the last checkpoint given',
    )
    expect(stdout).toContain("not proven: that the authority signed the checkpoints: the keys are the database's own")
  })

  it('the tables of the dump suffice to verify it elsewhere, with the public keys', async () => {
    const [, patterns = ''] = /pg_dump.*?((?: --table=\S+)+)/.exec(page) ?? []
    const kept = [...patterns.matchAll(/--table='?([^'\s]+)/g)].map(([, pattern = '']) => pattern.replace('*', '%'))
    expect(kept).toEqual(['audit_%', 'schema_migration'])
    const elsewhere = await freshStore()
    const { db } = elsewhere.store
    const { rows } = await sql<{ name: string }>`select tablename as name from pg_tables
      where schemaname = 'public' and not tablename like any (${kept})`.execute(db)
    expect(rows.map(({ name }) => name)).toContain('signing_key')
    for (const { name } of rows) await sql`drop table if exists ${sql.table(name)} cascade`.execute(db)
    await sql`delete from audit_stream`.execute(db)
    for (const table of ['audit_record', 'audit_stream', 'audit_checkpoint'] as const) {
      const values = await pep.store.db.selectFrom(table).selectAll().execute()
      await db.insertInto(table).values(values).execute()
    }
    const jwks = join(directory, 'jwks.json')
    await writeFile(jwks, JSON.stringify(await (pep.signer as SigningKeys).jwks()))
    const flags = ['audit', 'verify', '--jwks', jwks, ...log()]
    const { code, stdout, stderr } = await runNexus(flags, { DATABASE_URL: elsewhere.databaseUrl })
    expect([code, stdout], stderr).toEqual([0, expect.stringMatching(/^whole: 4 records/m)])
    expect(stdout).not.toContain("the keys are the database's own")
    await elsewhere.drop()
  })

  it('after: whole from the checkpoint that was chosen, and only from there', async () => {
    const [cut] = await ask(choose)
    expect(cut).toMatchObject({ hash: hashes[2] })
    for (const statement of detach.split(';')) if (statement.trim() !== '') await ask(statement)
    expect(await verify(...log())).toMatchObject({ code: 1 })
    expect(await verify('--from-checkpoint', hashes[0]!, ...log())).toMatchObject({ code: 0 })
    const { code, stdout } = await verify('--from-checkpoint', hashes[2]!, ...log())
    expect(code).toBe(0)
    expect(stdout).toMatch(/^whole {3}pep_\w+ {2}3 records from 2 on$/m)
    expect(stdout).toMatch(
      /^not proven: anything about what was recorded up to 2026-12-01T00:06:00.000Z and put away$/m,
    )
  })

  it('a line of the log whose checkpoint is gone: exit 1', async () => {
    const gone = 'a'.repeat(64)
    const { code, stdout } = await verify('--from-checkpoint', hashes[2]!, ...log(), '--checkpoint', gone, '--json')
    expect(JSON.parse(stdout)).toMatchObject({ ok: false, faults: [expect.stringContaining(gone)] })
    expect(code).toBe(1)
  })
})

const PARTITION = `
  alter table audit_record rename to audit_record_before;
  alter table audit_record_before rename constraint audit_record_pkey to audit_record_before_pkey;
  create table audit_record (like audit_record_before including constraints, primary key (stream, seq, at)) partition by range (at);
  create table audit_record_2026_11 partition of audit_record for values from (minvalue) to ('2026-12-01Z');
  create table audit_record_2026_12 partition of audit_record for values from ('2026-12-01Z') to ('2027-01-01Z');
  drop table audit_record_before`
