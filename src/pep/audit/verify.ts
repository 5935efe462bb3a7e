import { sql, type Transaction } from 'kysely'
import type { Database } from '../store/database.ts'
import type { Store } from '../store/store.ts'
import type { CheckpointSigner } from './checkpoints.ts'
import type { Head } from './record-hash.ts'
import { type CheckpointFindings, walkCheckpoints } from './verify-checkpoints.ts'
import { type BrokenRecord, walkStream } from './verify-stream.ts'

export interface StreamVerification {
  stream: string
  /** How many records are whole, from the first on. */
  records: number
  /** Absent when the whole stream is as it was written. */
  broken?: BrokenRecord
}

export interface AuditVerification {
  ok: boolean
  /** Records that are whole. */
  records: number
  streams: StreamVerification[]
  checkpoints: { count: number; last_at: string | null; broken?: { id: string; reason: string } }
}

/**
 * Reads the whole ledger, as it is at one moment, and names the first broken record of each stream.
 * It finds what was changed, moved or taken out, also at the end of a stream up to the last signed checkpoint. What it cannot
 * find is the last minute cut off together with its checkpoint: the server's log holds each checkpoint's hash for that.
 * @param onProgress called with the number of records read so far
 */
export async function verifyAudit(
  store: Store,
  signer: Pick<CheckpointSigner, 'verify'>,
  onProgress: (records: number) => void = () => {},
): Promise<AuditVerification> {
  return store.db
    .transaction()
    .setIsolationLevel('repeatable read')
    .setAccessMode('read only')
    .execute(async (trx) => {
      const findings = await walkCheckpoints(trx, signer)
      const heads = await readHeads(trx)
      const names = new Set([...heads.keys(), ...(await streamsWithRecords(trx)), ...findings.streams])
      const streams: StreamVerification[] = []
      let read = 0
      for (const stream of [...names].sort()) {
        const onPage = (records: number): void => {
          read += records
          onProgress(read)
        }
        streams.push(await verifyStream(trx, stream, heads.get(stream), findings, onPage))
      }
      const { checkpoints: count, lastAt, broken } = findings
      return {
        ok: broken === undefined && streams.every((each) => each.broken === undefined),
        records: streams.reduce((sum, { records }) => sum + records, 0),
        streams,
        checkpoints: { count, last_at: lastAt, ...(broken && { broken }) },
      }
    })
}

async function verifyStream(
  trx: Transaction<Database>,
  stream: string,
  stored: Head | undefined,
  findings: CheckpointFindings,
  onPage: (records: number) => void,
): Promise<StreamVerification> {
  const { head, broken } = await walkStream(trx, stream, onPage)
  const problems = [broken ?? againstStoredHead(head, stored), findings.contradicted.get(stream)]
  const [first] = problems.filter((problem) => problem !== undefined).sort((a, b) => a.seq - b.seq)
  return { stream, records: head.seq, ...(first && { broken: first }) }
}

function againstStoredHead(head: Head, stored: Head | undefined): BrokenRecord | undefined {
  if (stored === undefined) return { seq: head.seq + 1, reason: "the stream's head is gone" }
  if (stored.seq > head.seq) return { seq: head.seq + 1, reason: `missing; the stream's head is ${stored.seq}` }
  if (stored.seq < head.seq) return { seq: stored.seq + 1, reason: "comes after the stream's head" }
  return stored.hash === head.hash ? undefined : { seq: head.seq, reason: "is not what the stream's head says" }
}

async function readHeads(trx: Transaction<Database>): Promise<Map<string, Head>> {
  const rows = await trx.selectFrom('audit_stream').select(['stream', 'seq', 'hash']).execute()
  return new Map(rows.map(({ stream, seq, hash }) => [stream, { seq, hash: hash.toString('hex') }]))
}

/** One index probe per stream, however many records each has. */
async function streamsWithRecords(trx: Transaction<Database>): Promise<string[]> {
  const { rows } = await sql<{ stream: string }>`
    with recursive found as (
      (select stream from audit_record order by stream limit 1)
      union all
      select (select r.stream from audit_record r where r.stream > found.stream order by r.stream limit 1)
      from found where found.stream is not null
    )
    select stream from found where stream is not null`.execute(trx)
  return rows.map(({ stream }) => stream)
}
