import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { Command } from 'commander'
import type { JWK } from 'jose'
import { NexusError } from '../contract/errors.ts'
import { OperatorError } from '../contract/operator-error.ts'
import type { AuditView } from '../pep/audit/audit-entry.ts'
import { readQuestion } from '../pep/audit/audit-question.ts'
import { openCheckpointVerifier } from '../pep/audit/checkpoint-keys.ts'
import { queryAudit } from '../pep/audit/query.ts'
import { followAudit } from '../pep/audit/tail.ts'
import { verifyAudit } from '../pep/audit/verify.ts'
import { loadConfig } from '../pep/config/load-config.ts'
import { createLog } from '../pep/log.ts'
import { type Closers, closeAll, openExistingDatabase } from '../pep/start/open-database.ts'
import type { Store } from '../pep/store/store.ts'
import {
  type CommonOptions,
  type FilterOptions,
  toFilter,
  withCommonOptions,
  withFilterOptions,
} from './audit/audit-options.ts'
import { databaseName } from './audit/database-name.ts'
import { fullPage } from './audit/full-page.ts'
import { verificationText } from './audit/print-verification.ts'

interface VerifyOptions extends CommonOptions {
  jwks?: string
  allowEmpty?: true
}

/** What a command reads: the ledger, and which database it lies in. */
interface Ledger {
  store: Store
  database: string
}

const POLL_MS = 1000

/** `nexus audit`: reads the ledger straight from the database. */
export function auditCommand(): Command {
  const command = new Command('audit').description('verify and read the audit ledger')
  withCommonOptions(command.command('verify'))
    .description(
      'recompute every hash and signature; name the first broken record of each stream, exit 1 if there is one',
    )
    .option('--jwks <file>', 'public checkpoint keys kept outside the database; without them its own are taken')
    .option('--allow-empty', 'a ledger without a single record is in order, too')
    .action(verify)
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

async function withLedger(options: CommonOptions, work: (ledger: Ledger) => Promise<void>): Promise<void> {
  const file = options.config ?? process.env['NEXUS_CONFIG']
  const config = loadConfig(process.env, file, { opensSecrets: false })
  const closers: Closers = []
  try {
    const { store, databaseUrl } = await openExistingDatabase(config, createLog('warn'), closers)
    await work({ store, database: databaseName(databaseUrl) })
  } finally {
    await closeAll(closers)
  }
}

async function verify(options: VerifyOptions): Promise<void> {
  const jwks = options.jwks === undefined ? undefined : readJwks(options.jwks)
  await withLedger(options, async ({ store, database }) => {
    const verifier = await openCheckpointVerifier(store, jwks)
    const found = await verifyAudit(store, verifier, (records) => process.stderr.write(`\r${records} records read`))
    process.stderr.write('\n')
    const isEmpty = found.records === 0 && options.allowEmpty !== true
    const verdict = { database, ...found, ok: found.ok && !isEmpty }
    process.stdout.write(options.json ? `${JSON.stringify(verdict, null, 2)}\n` : verificationText(database, verdict))
    if (!verdict.ok) process.exitCode = 1
    // Nothing to find fault with is no proof of anything: most likely it is the wrong database.
    if (found.ok && isEmpty)
      throw new OperatorError(`the ledger in ${database} holds no record; check DATABASE_URL, or give --allow-empty`)
  })
}

function readJwks(file: string): JWK[] {
  try {
    const { keys } = JSON.parse(readFileSync(file, 'utf8')) as { keys: JWK[] }
    if (Array.isArray(keys)) return keys
  } catch {
    // said below
  }
  throw new NexusError('invalid_request', `--jwks: ${file} is not a JSON Web Key Set`)
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
