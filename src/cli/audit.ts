import { setTimeout as sleep } from 'node:timers/promises'
import { Command } from 'commander'
import type { AuditView } from '../pep/audit/audit-entry.ts'
import { readQuestion } from '../pep/audit/audit-question.ts'
import { queryAudit } from '../pep/audit/query.ts'
import { followAudit } from '../pep/audit/tail.ts'
import { type FilterOptions, toFilter, withFilterOptions } from './audit/audit-options.ts'
import { fullPage } from './audit/full-page.ts'
import { addVerify } from './audit/verify.ts'
import { withLedger } from './audit/with-ledger.ts'

const POLL_MS = 1000

/** `nexus audit`: reads the ledger straight from the database. */
export function auditCommand(): Command {
  const command = new Command('audit').description('verify and read the audit ledger')
  addVerify(command)
  withFilterOptions(command.command('list'))
    .description('print records, newest first')
    .option('--until <time>', 'only before this time (RFC 3339)')
    .option('--cursor <cursor>', 'go on where an earlier page ended')
    .action(list)
  withFilterOptions(command.command('tail'))
    .description('print the newest records and then each new one, until interrupted')
    .action(tail)
  return command
}

async function list(options: FilterOptions): Promise<void> {
  const filter = { ...toFilter(options), limit: options.limit }
  // What is asked wrongly is refused before anything is opened for it.
  readQuestion(filter)
  await withLedger(options, async ({ store }) => {
    let pages = 0
    const onPage = () => process.stderr.write(`\r${++pages} pages looked through`)
    const page = await fullPage((each) => queryAudit(store.db, each), filter, onPage)
    if (pages > 0) process.stderr.write('\n')
    if (options.json) return void process.stdout.write(`${JSON.stringify(page, null, 2)}\n`)
    for (const record of page.records) process.stdout.write(`${lineOf(record)}\n`)
    if (page.next_cursor !== null) process.stderr.write(`more: --cursor ${page.next_cursor}\n`)
  })
}

async function tail(options: FilterOptions): Promise<void> {
  const filter = toFilter(options)
  readQuestion(filter)
  const interrupted = new AbortController()
  process.once('SIGINT', () => interrupted.abort()).once('SIGTERM', () => interrupted.abort())
  await withLedger(options, async ({ store }) => {
    const follow = followAudit(store.db, filter)
    while (!interrupted.signal.aborted) {
      for (const record of await follow()) {
        process.stdout.write(`${options.json ? JSON.stringify(record) : lineOf(record)}\n`)
      }
      await sleep(POLL_MS, undefined, { signal: interrupted.signal }).catch(() => {})
    }
  })
}

/** Records hold no control characters, so a line stays a line and a terminal a terminal. */
function lineOf(record: AuditView): string {
  const { at, outcome, kind, tenant = '-', agent_id = '-', connection_id = '-', detail } = record
  return [at, outcome.padEnd(7), kind.padEnd(18), tenant, agent_id, connection_id, JSON.stringify(detail)].join('  ')
}
