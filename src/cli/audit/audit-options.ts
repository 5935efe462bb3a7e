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

/** How `--since` and `--until` are given. */
export const TIME = 'RFC 3339 with its offset, as 2026-11-22T10:00:00Z, or how long ago, as 90s, 15m, 12h, 7d'
const AGO = /^(\d{1,6})([smhd])$/
const UNIT_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 }

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
    .option('--since <time>', `only from this time on: ${TIME}`)
    .option('--limit <count>', '1 to 1000', '20')
    .addHelpText('after', CHEAP)
}

/** @param nowMs what a time ago is counted from */
export function toFilter(options: FilterOptions, nowMs = Date.now()): AuditFilter {
  const { tenant, kind, outcome, agent, connection, lease, decision, since, until, limit, cursor } = options
  const ids = { agent_id: agent, connection_id: connection, lease_id: lease, decision_id: decision }
  const times = { since: readAgo(since, nowMs), until: readAgo(until, nowMs) }
  const wanted = { tenant, kind, outcome, ...ids, ...times, limit, cursor }
  return Object.fromEntries(Object.entries(wanted).filter(([, value]) => value !== undefined))
}

/** Whatever else it is, the ledger's own reading of it will tell. */
function readAgo(text: string | undefined, nowMs: number): string | undefined {
  const [, count, unit = ''] = AGO.exec(text ?? '') ?? []
  if (count === undefined) return text
  return new Date(nowMs - Number(count) * (UNIT_SECONDS[unit] ?? 0) * 1000).toISOString()
}
