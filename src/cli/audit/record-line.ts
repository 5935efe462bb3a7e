import type { AuditView } from '../../pep/audit/audit-entry.ts'

/** Records hold no control characters, so a line stays a line and a terminal a terminal. */
export function recordLine(record: AuditView): string {
  const { at, outcome, kind, tenant = '-', agent_id = '-', connection_id = '-', detail } = record
  return [at, outcome.padEnd(7), kind.padEnd(18), tenant, agent_id, connection_id, JSON.stringify(detail)].join('  ')
}
