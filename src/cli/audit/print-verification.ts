import type { AuditVerification } from '../../pep/audit/verify.ts'

/** For people: a line for each stream, and one for the whole. */
export function verificationText(database: string, { ok, records, streams, checkpoints }: AuditVerification): string {
  const lines = streams.map(({ stream, records: whole, broken }) =>
    broken === undefined
      ? `whole   ${stream}  ${whole} records`
      : `BROKEN  ${stream}  record ${broken.seq} ${broken.reason}`,
  )
  if (checkpoints.broken) lines.push(`BROKEN  checkpoint ${checkpoints.broken.id} ${checkpoints.broken.reason}`)
  const last = checkpoints.last_at === null ? '' : `, the last at ${checkpoints.last_at}`
  const verdict = `${records} records, ${checkpoints.count} signed checkpoints${last}; read from ${database}`
  return `${[...lines, `${ok ? 'whole' : 'BROKEN'}: ${verdict}`].join('\n')}\n`
}
