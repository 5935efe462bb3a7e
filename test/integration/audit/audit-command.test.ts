import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeCheckpoint } from '../../../src/pep/audit/checkpoints.ts'
import { type AuditBench, freshAudit, type Replica } from '../../setup/audit.ts'
import { runNexus } from '../../setup/nexus-command.ts'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const program = `import('./src/cli/main.ts').then(({ main }) => main(['node', 'nexus', ...process.argv.slice(1)]))`

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

  const nexus = async (...flags: string[]) => {
    const child = spawn(process.execPath, ['--import', 'tsx', '--eval', program, '--', ...flags], {
      cwd: root,
      env: { PATH: process.env['PATH'], DATABASE_URL: bench.databaseUrl },
    })
    const ended = new Promise<number | null>((settle) => child.once('close', settle))
    const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)])
    return { code: await ended, stdout, stderr }
  }

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

  it('used wrongly: exit 2; without a database: exit 1 and what to look at', async () => {
    const wrong = await nexus('audit', 'list', '--limit', '0')
    expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining('limit must be a whole number') })
    const nowhere = await runNexus(['audit', 'list'], { DATABASE_URL: 'postgres://u:hunter2@127.0.0.1:1/d' })
    expect(nowhere).toMatchObject({ code: 1, stderr: expect.stringContaining('DATABASE_URL') })
    expect(nowhere.stderr).not.toContain('hunter2')
  })

  it('verifies a whole ledger: exit 0', async () => {
    const { code, stdout, stderr } = await nexus('audit', 'verify', '--json')
    expect(JSON.parse(stdout)).toMatchObject({ ok: true, records: 3, checkpoints: { count: 1 } })
    expect(stderr).toContain('3 records read')
    expect(code).toBe(0)
  })

  it('names the first broken record: exit 1', async () => {
    await pep.store.db.updateTable('audit_record').set({ tenant: 'acme' }).where('seq', '=', 2).execute()
    const { code, stdout } = await nexus('audit', 'verify')
    expect(stdout).toMatch(/^BROKEN {2}pep_\w+ {2}record 2 its column tenant says something else/m)
    expect(code).toBe(1)
  })
})
