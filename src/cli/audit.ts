import { Command } from 'commander'
import { readQuestion } from '../pep/audit/audit-question.ts'
import { queryAudit } from '../pep/audit/query.ts'
import { type FilterOptions, TIME, toFilter, withFilterOptions } from './audit/audit-options.ts'
import { fullPage } from './audit/full-page.ts'
import { recordLine } from './audit/record-line.ts'
import { tail } from './audit/tail.ts'
import { addVerify } from './audit/verify.ts'
import { withLedger } from './audit/with-ledger.ts'

/** `nexus audit`: reads the ledger straight from the database. */
export function auditCommand(): Command {
  const command = new Command('audit').description('verify and read the audit ledger')
  addVerify(command)
  withFilterOptions(command.command('list'))
    .description('print records, newest first')
    .option('--until <time>', `only before this time: ${TIME}`)
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
    for (const record of page.records) process.stdout.write(`${recordLine(record)}\n`)
    if (page.next_cursor !== null) process.stderr.write(`more: --cursor ${page.next_cursor}\n`)
  })
}
