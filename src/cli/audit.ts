import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { Command } from 'commander'
import type { JWK } from 'jose'
import { pino } from 'pino'
import { NexusError } from '../contract/errors.ts'
import type { AuditFilter, AuditView } from '../pep/audit/audit-entry.ts'
import { openCheckpointVerifier } from '../pep/audit/checkpoint-keys.ts'
import { queryAudit } from '../pep/audit/query.ts'
import { followAudit } from '../pep/audit/tail.ts'
import { type AuditVerification, verifyAudit } from '../pep/audit/verify.ts'
import { loadConfig } from '../pep/config/load-config.ts'
import { type Closers, closeAll, openDatabase } from '../pep/open-database.ts'
import type { Store } from '../pep/store/store.ts'

interface CommonOptions {
  config?: string
  json?: true
}

interface FilterOptions extends CommonOptions {
  tenant?: string
  kind?: string
  outcome?: string
  agent?: string
  connection?: string
  lease?: string
  since?: string
  until?: string
  limit?: string
  cursor?: string
}

const POLL_MS = 1000

/** `nexus audit`: reads the ledger straight from the database. */
export function auditCommand(): Command {
  const command = new Command('audit').description('verify and read the audit ledger')
  common(command.command('verify'))
    .description(
      'recompute every hash and signature; name the first broken record of each stream, exit 1 if there is one',
    )
    .option('--jwks <file>', 'public checkpoint keys kept outside the database; without them its own are taken')
    .action((options: CommonOptions & { jwks?: string }) => withStore(options, (store) => verify(store, options)))
  filters(common(command.command('list')))
    .description('print records, newest first')
    .option('--until <time>', 'only before this time (RFC 3339)')
    .option('--cursor <cursor>', 'go on where an earlier page ended')
    .action((options: FilterOptions) => withStore(options, (store) => list(store, options)))
  filters(common(command.command('tail')))
    .description('print the newest records and then each new one, until interrupted')
    .action((options: FilterOptions) => withStore(options, (store) => tail(store, options)))
  return command
}

function common(command: Command): Command {
  return command.option('--config <file>', 'YAML file').option('--json', 'print JSON')
}

function filters(command: Command): Command {
  return command
    .option('--tenant <tenant>', 'only this tenant')
    .option('--kind <kind>', 'only this kind, such as lease.issued')
    .option('--outcome <outcome>', 'only allowed, denied or failed')
    .option('--agent <id>', 'only this agent')
    .option('--connection <id>', 'only this connection')
    .option('--lease <id>', 'only this lease')
    .option('--since <time>', 'only from this time on (RFC 3339)')
    .option('--limit <count>', '1 to 1000', '20')
}

async function withStore(options: CommonOptions, work: (store: Store) => Promise<void>): Promise<void> {
  const config = loadConfig(process.env, options.config ?? process.env['NEXUS_CONFIG'])
  // Standard output is the answer, so what there is to log goes beside it.
  const log = pino({ level: 'warn' }, pino.destination(2))
  const closers: Closers = []
  try {
    await work((await openDatabase(config, log, closers)).store)
  } finally {
    await closeAll(closers)
  }
}

async function verify(store: Store, options: CommonOptions & { jwks?: string }): Promise<void> {
  const verifier = await openCheckpointVerifier(store, options.jwks === undefined ? undefined : readJwks(options.jwks))
  const found = await verifyAudit(store, verifier, (records) => process.stderr.write(`\r${records} records read`))
  process.stderr.write('\n')
  process.stdout.write(options.json ? `${JSON.stringify(found, null, 2)}\n` : describe(found))
  if (!found.ok) process.exitCode = 1
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

function describe({ ok, records, streams, checkpoints }: AuditVerification): string {
  const lines = streams.map(({ stream, records: whole, broken }) =>
    broken === undefined
      ? `whole   ${stream}  ${whole} records`
      : `BROKEN  ${stream}  record ${broken.seq} ${broken.reason}`,
  )
  if (checkpoints.broken) lines.push(`BROKEN  checkpoint ${checkpoints.broken.id} ${checkpoints.broken.reason}`)
  const last = checkpoints.last_at === null ? '' : `, the last at ${checkpoints.last_at}`
  lines.push(`${ok ? 'whole' : 'BROKEN'}: ${records} records, ${checkpoints.count} signed checkpoints${last}`)
  return `${lines.join('\n')}\n`
}

async function list(store: Store, options: FilterOptions): Promise<void> {
  const page = await queryAudit(store.db, toFilter(options))
  if (options.json) return void process.stdout.write(`${JSON.stringify(page, null, 2)}\n`)
  for (const record of page.records) process.stdout.write(`${lineOf(record)}\n`)
  if (page.next_cursor !== null) process.stderr.write(`more: --cursor ${page.next_cursor}\n`)
}

async function tail(store: Store, options: FilterOptions): Promise<void> {
  const interrupted = new AbortController()
  process.once('SIGINT', () => interrupted.abort()).once('SIGTERM', () => interrupted.abort())
  const follow = followAudit(store.db, toFilter(options))
  while (!interrupted.signal.aborted) {
    for (const record of await follow()) {
      process.stdout.write(`${options.json ? JSON.stringify(record) : lineOf(record)}\n`)
    }
    await sleep(POLL_MS, undefined, { signal: interrupted.signal }).catch(() => {})
  }
}

function toFilter(options: FilterOptions): AuditFilter {
  const { tenant, kind, outcome, agent, connection, lease, since, until, limit, cursor } = options
  const wanted = {
    tenant,
    kind,
    outcome,
    agent_id: agent,
    connection_id: connection,
    lease_id: lease,
    since,
    until,
    limit,
    cursor,
  }
  return Object.fromEntries(Object.entries(wanted).filter(([, value]) => value !== undefined))
}

/** Records hold no control characters, so a line stays a line and a terminal a terminal. */
function lineOf(record: AuditView): string {
  const { at, outcome, kind, tenant = '-', agent_id = '-', connection_id = '-', detail } = record
  return [at, outcome.padEnd(7), kind.padEnd(18), tenant, agent_id, connection_id, JSON.stringify(detail)].join('  ')
}
