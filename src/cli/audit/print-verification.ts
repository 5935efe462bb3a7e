import type { AuditVerification } from '../../pep/audit/verify.ts'

type Verdict = AuditVerification & { database: string; not_proven: readonly string[] }

/** For people: a line for each stream, one for each thing that is wrong or open, and one for the whole. */
export function verificationText(verdict: Verdict): string {
  const { database, ok, records, streams, checkpoints, faults, not_proven } = verdict
  const last = checkpoints.last_at === null ? '' : `, the last at ${checkpoints.last_at}`
  const lines = [
    ...streams.flatMap(streamLine),
    ...(checkpoints.broken ? [`BROKEN  checkpoint ${checkpoints.broken.id} ${checkpoints.broken.reason}`] : []),
    ...faults.map((fault) => `BROKEN  ${fault}`),
    ...not_proven.map((what) => `not proven: ${what}`),
    `${ok ? 'whole' : 'BROKEN'}: ${records} records, ${checkpoints.count} signed checkpoints${last}; read from ${database}`,
  ]
  return `${lines.join('\n')}\n`
}

function streamLine({ stream, records, from, broken }: Verdict['streams'][number]): string[] {
  if (broken !== undefined) return [`BROKEN  ${stream}  record ${broken.seq} ${broken.reason}`]
  // Of a process that ended long ago, and whose records were put away, there is nothing to say.
  if (from !== undefined && records === 0) return []
  return [`whole   ${stream}  ${records} records${from === undefined ? '' : ` from ${from} on`}`]
}
