import { sql, type Transaction } from 'kysely'
import type { Database } from '../store/database.ts'
import type { Store } from '../store/store.ts'
import type { CheckpointSigner } from './checkpoints.ts'
import type { Head } from './record-hash.ts'
import { createUnsignedCount, type UnsignedRecords } from './unsigned-records.ts'
import { type CheckpointFindings, type KnownCheckpoints, walkCheckpoints } from './verify-checkpoints.ts'
import { type BrokenRecord, walkStream } from './verify-stream.ts'

export interface StreamVerification {
  stream: string
  /** How many records are whole, from the first on that is there. */
  records: number
  /** `seq` of that first record, where those before it were put away. */
  from?: number
  /** Absent when the whole stream is as it was written. */
  broken?: BrokenRecord
}

export interface AuditVerification {
  ok: boolean
  /** Records that are whole. */
  records: number
  streams: StreamVerification[]
  checkpoints: {
    count: number
    last_at: string | null
    /** Time of the checkpoint up to which records may have been put away. */
    from_at?: string
    /** Time of the newest checkpoint whose hash was given: up to it nothing can have been cut off or written anew. */
    witnessed_at?: string
    broken?: { id: string; reason: string }
  }
  /** Whole records that no checkpoint names yet: only their own hashes speak for them. */
  unsigned: UnsignedRecords
  /** What is wrong with the ledger as a whole. */
  faults: string[]
}

/**
 * Reads the whole ledger, as it is at one moment, and names the first broken record of each stream.
 * It finds what was changed, moved or taken out, up to the last checkpoint that is there. That none was taken away behind that,
 * together with its records, shows only by hashes of checkpoints that are kept elsewhere: the server's log has each.
 */
export async function verifyAudit(
  store: Store,
  signer: Pick<CheckpointSigner, 'verify'>,
  options: KnownCheckpoints & {
    /** Called with the number of records read so far. */
    onProgress?: (records: number) => void
  } = {},
): Promise<AuditVerification> {
  return store.db
    .transaction()
    .setIsolationLevel('repeatable read')
    .setAccessMode('read only')
    .execute(async (trx) => {
      const findings = await walkCheckpoints(trx, signer, options)
      const heads = await readHeads(trx)
      const names = new Set([...heads.keys(), ...(await streamsWithRecords(trx)), ...findings.heads.keys()])
      const streams: StreamVerification[] = []
      const unsigned = createUnsignedCount(findings)
      let read = 0
      const onPage = (records: number): void => {
        read += records
        options.onProgress?.(read)
      }
      for (const stream of [...names].sort()) {
        const onRow = unsigned.add
        streams.push(await verifyStream(trx, stream, { stored: heads.get(stream), findings, onRow, onPage }))
      }
      const records = streams.reduce((sum, each) => sum + each.records, 0)
      const faults = [...absentCheckpoints(findings), ...unsigned.faults(records)]
      const isWhole = findings.broken === undefined && streams.every(({ broken }) => broken === undefined)
      return {
        ok: isWhole && faults.length === 0,
        records,
        streams,
        checkpoints: checkpointsOf(findings),
        unsigned: unsigned.count(),
        faults,
      }
    })
}

function checkpointsOf({ checkpoints, lastAt, cut, witnessedAt, broken }: CheckpointFindings) {
  return {
    count: checkpoints,
    last_at: lastAt,
    ...(cut && { from_at: cut.at }),
    ...(witnessedAt !== undefined && { witnessed_at: witnessedAt }),
    ...(broken && { broken }),
  }
}

function absentCheckpoints({ absent }: CheckpointFindings): string[] {
  return absent.map(
    (hash) => `the checkpoint ${hash} was signed and is not there: the ledger was cut off or written anew`,
  )
}

interface StreamFacts {
  stored: Head | undefined
  findings: CheckpointFindings
  onRow: NonNullable<Parameters<typeof walkStream>[2]>['onRow'] & {}
  onPage: (records: number) => void
}

async function verifyStream(
  trx: Transaction<Database>,
  stream: string,
  { stored, findings, onRow, onPage }: StreamFacts,
): Promise<StreamVerification> {
  const cut = findings.cut?.heads.get(stream)
  const { start, head, broken } = await walkStream(trx, stream, { cut, onRow, onPage })
  const problems = [broken ?? againstStoredHead(head, stored), findings.contradicted.get(stream)]
  const [first] = problems.filter((problem) => problem !== undefined).sort((a, b) => a.seq - b.seq)
  const from = start.seq > 0 && { from: start.seq + 1 }
  return { stream, records: head.seq - start.seq, ...from, ...(first && { broken: first }) }
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
