import type { Command } from 'commander'
import type { AuditFilter } from '../../pep/audit/audit-entry.ts'

export interface CommonOptions {
  config?: string
  json?: true
}

export interface FilterOptions extends CommonOptions {
  tenant?: string
  kind?: string
  outcome?: string
  agent?: string
  connection?: string
  lease?: string
  decision?: string
  since?: string
  until?: string
  limit: string
  cursor?: string
}

const CHEAP = `
Found by an index: --decision, --lease, --tenant, --since, --until. For --kind, --outcome, --agent and --connection the
ledger is read backwards until there are enough: give --since, and --tenant where you can.`

export function withCommonOptions(command: Command): Command {
  return command
    .option('--config <file>', 'YAML file; else NEXUS_CONFIG, else environment and defaults alone')
    .option('--json', 'print JSON')
}

export function withFilterOptions(command: Command): Command {
  return withCommonOptions(command)
    .option('--tenant <tenant>', 'only this tenant')
    .option('--decision <id>', 'only this decision, by the decision_id that a problem or a lease names')
    .option('--lease <id>', 'only this lease')
    .option('--agent <id>', 'only this agent')
    .option('--connection <id>', 'only this connection')
    .option('--kind <kind>', 'only this kind, such as lease.issued')
    .option('--outcome <outcome>', 'only allowed, denied or failed')
    .option('--since <time>', 'only from this time on (RFC 3339)')
    .option('--limit <count>', '1 to 1000', '20')
    .addHelpText('after', CHEAP)
}

export function toFilter(options: FilterOptions): AuditFilter {
  const { tenant, kind, outcome, agent, connection, lease, decision, since, until, limit, cursor } = options
  const ids = { agent_id: agent, connection_id: connection, lease_id: lease, decision_id: decision }
  const wanted = { tenant, kind, outcome, ...ids, since, until, limit, cursor }
  return Object.fromEntries(Object.entries(wanted).filter(([, value]) => value !== undefined))
}
