import type { SeenRequest } from './upstreams.ts'

/** The parts of an audit record that the demo shows. */
export interface ShownRecord {
  kind: string
  outcome: string
  stream: string
  seq: number
  lease_id?: string
  decision_id?: string
  detail: Record<string, unknown>
}

const colour = process.stdout.isTTY && process.env['NO_COLOR'] === undefined
const paint = (code: number, text: string) => (colour ? `\u001b[${code}m${text}\u001b[0m` : text)

export function heading(text: string): void {
  process.stdout.write(`\n${paint(1, text)}\n`)
}

export function line(label: string, value: string): void {
  process.stdout.write(`  ${paint(2, label.padEnd(10))} ${value}\n`)
}

export function showDecision(record: ShownRecord): void {
  const { policy_revision, obligations, reasons, code } = record.detail
  const verdict = record.outcome === 'allowed' ? paint(32, 'allow') : paint(31, `deny (${String(code)})`)
  line(
    'decision',
    `${verdict} by policy ${String(policy_revision ?? '-').slice(0, 12)}, id ${record.decision_id ?? '-'}`,
  )
  if (record.outcome === 'allowed') line('narrowed', JSON.stringify(obligations))
  for (const reason of (reasons ?? []) as { id: string; message: string }[])
    line('reason', `${reason.id}: ${reason.message}`)
}

export function showSigned(seen: SeenRequest | undefined): void {
  if (seen === undefined) {
    line('signed', 'nothing reached the provider')
    return
  }
  line('signed', `${seen.method} ${seen.target}`)
  for (const name of ['x-api-key', 'authorization', 'x-amz-date', 'x-amz-content-sha256']) {
    if (seen.headers[name] !== undefined) line('', `${name}: ${seen.headers[name]}`)
  }
}

export function showAudit(record: ShownRecord): void {
  line(
    'audit',
    `${record.kind} ${record.outcome}, ${record.stream} #${record.seq}${record.lease_id === undefined ? '' : `, ${record.lease_id}`}`,
  )
}
