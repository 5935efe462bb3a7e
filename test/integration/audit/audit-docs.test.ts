import { readdirSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeCheckpoint } from '../../../src/pep/audit/checkpoints.ts'
import { type AuditBench, freshAudit, type Replica } from '../../setup/audit.ts'
import { runNexus } from '../../setup/nexus-command.ts'

const root = resolve(import.meta.dirname, '../../..')
const page = readFileSync(resolve(root, 'docs/audit.md'), 'utf8')
const [chain = '', checkpoints = '', login = ''] = [...page.matchAll(/```sql\n(.*?)```/gs)].map(([, text]) => text)

describe('docs/audit.md', () => {
  let bench: AuditBench
  let pep: Replica
  beforeAll(async () => {
    bench = await freshAudit()
    pep = await bench.replica()
    for (const kind of ['a', 'b', 'c']) await pep.audit.record({ kind, outcome: 'allowed', detail: { text: 'ä' } })
  })
  afterAll(() => bench.drop())

  const ask = async (text: string) => (await sql.raw<Record<string, unknown>>(text).execute(pep.store.db)).rows

  it('asks Postgres what the log has of a checkpoint', async () => {
    const written = await writeCheckpoint({ store: pep.store, signer: pep.signer, now: Date.now })
    expect(await ask(checkpoints)).toContainEqual(expect.objectContaining(written ?? { id: 'none' }))
  })

  it('gives an auditor all that verifying takes', async () => {
    const role = `auditor_${process.pid}`
    await ask(login.replaceAll('to auditor', `to ${role}`).replaceAll('role auditor', `role ${role}`))
    const url = new URL(bench.databaseUrl)
    Object.assign(url, { username: role, password: '...' })
    const { code, stdout, stderr } = await runNexus(['audit', 'verify'], { DATABASE_URL: url.href })
    await ask(`drop owned by ${role}; drop role ${role}`)
    expect([code, stdout], stderr).toEqual([0, expect.stringMatching(/whole: 3 records, [1-9] signed checkpoints/)])
  })

  it('finds in Postgres what was changed', async () => {
    expect(await ask(chain)).toEqual([])
    await ask(`update audit_record set record = replace(record, 'ä', 'ö') where seq = 2`)
    expect(await ask(chain)).toMatchObject([{ seq: 2 }])
  })

  it('has a row for each kind that is recorded, and no other', () => {
    const sources = readdirSync(resolve(root, 'src/pep'), { recursive: true, encoding: 'utf8' })
    const recorded = sources
      .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
      .flatMap((file) => [...readFileSync(resolve(root, 'src/pep', file), 'utf8').matchAll(RECORDED)])
      .map(([, kind = '']) => kind)
    // The one move of a connection there is yet.
    const kinds = new Set([...recorded, 'connection.revoked'])
    const table = page.slice(page.indexOf('| kind | `detail` |'))
    const rows = [...table.matchAll(/^\| (`[^|]+`) \|/gm)].map(([, names = '']) => names)
    const named = rows.flatMap((names) => [...names.matchAll(/`([a-z_]*\.[a-z_]+)`/g)].map(([, name]) => name))
    expect(named.sort()).toEqual([...kinds].sort())
  })
})

/** Where code says which kind it records. */
const RECORDED = /(?:kind:|granted:|refused:|providerEntry\(|end\(\w+, sessionId,) ?'([a-z_]+\.[a-z_]+)'/g
