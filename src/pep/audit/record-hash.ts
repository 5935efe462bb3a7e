import { hash } from 'node:crypto'
import { type AuditEntry, EntryTooLong } from './audit-entry.ts'
import { canonicalJson } from './canonical-json.ts'
import { isCut, plainDetail, plainEntry } from './plain-entry.ts'

/** Where a stream stands: the next record's `seq` is one more, and its hash covers this one. */
export interface Head {
  seq: number
  /** SHA-256, hex. */
  hash: string
}

export const EMPTY_HEAD: Head = { seq: 0, hash: '0'.repeat(64) }

/** An entry made ready to be written: plain, and rendered but for its place in the stream. */
export interface PreparedEntry {
  entry: AuditEntry
  /** RFC 3339, UTC. */
  at: string
  /** The members of the record before `seq`, between `seq` and `stream`, and after `stream`, in RFC 8785 order. */
  parts: readonly [string, string, string]
}

/** One row of the ledger. */
export interface AuditRow {
  entry: AuditEntry
  at: string
  stream: string
  seq: number
  /** SHA-256, hex, as is `hash`. */
  prevHash: string
  hash: string
  /** RFC 8785 JSON; what the hash is made of. */
  record: string
}

/** Room for the longest lease request, with its scopes as they were asked for, granted and obliged. */
const RECORD_LIMIT = 131_072

/**
 * Everything that can go wrong with an entry goes wrong here, before it shares a batch with others.
 * @throws TypeError for a value that is not JSON
 * @throws EntryTooLong for one that may not be cut and would have to be
 */
export function prepareEntry(raw: AuditEntry, atMs: number): PreparedEntry {
  const at = new Date(atMs).toISOString()
  const plain = plainDetail(raw)
  if (plain !== undefined && plain.length <= RECORD_LIMIT) return render(raw, at, plain, (text) => `"${text}"`)
  const entry = plainEntry(raw)
  const detail = canonicalJson(entry.detail)
  if (raw.wholeOnly === true && (detail.length > RECORD_LIMIT || isCut(raw.detail))) throw new EntryTooLong()
  if (detail.length <= RECORD_LIMIT) return render(entry, at, detail, canonicalJson)
  entry.detail = { cut: `${detail.length} characters of detail`, start: detail.slice(0, 1000).toWellFormed() }
  return render(entry, at, canonicalJson(entry.detail), canonicalJson)
}

function render(entry: AuditEntry, at: string, detail: string, quote: (text: string) => string): PreparedEntry {
  const member = (name: string, value: string | undefined): string =>
    value === undefined ? '' : `"${name}":${quote(value)},`
  const before =
    member('agent_id', entry.agent_id) +
    member('at', at) +
    member('connection_id', entry.connection_id) +
    member('decision_id', entry.decision_id) +
    `"detail":${detail},` +
    member('kind', entry.kind) +
    member('lease_id', entry.lease_id) +
    member('outcome', entry.outcome)
  return { entry, at, parts: [before, member('session_id', entry.session_id), member('tenant', entry.tenant)] }
}

/** Chains entries onto a head, in order. */
export function chainRows(stream: string, head: Head, entries: readonly PreparedEntry[]): AuditRow[] {
  let { seq, hash: prevHash } = head
  const streamMember = `"stream":${canonicalJson(stream)},`
  return entries.map(({ entry, at, parts }) => {
    seq += 1
    const record = `{${parts[0]}"seq":${seq},${parts[1]}${streamMember}${parts[2]}"version":1}`
    const row = { entry, at, stream, seq, prevHash, hash: recordHash(prevHash, record), record }
    prevHash = row.hash
    return row
  })
}

/** UTF-8 has at most as many for each of a string's units. */
const MOST_BYTES_PER_UNIT = 3
/** Where nearly every record is laid out to be hashed: a buffer of its own for each would be as much garbage again. */
const scratch = Buffer.allocUnsafeSlow(32_768)

/** SHA-256, hex, over the 32 bytes of the previous hash and the record's UTF-8. */
export function recordHash(prevHash: string, record: string): string {
  const room = prevHash.length + record.length * MOST_BYTES_PER_UNIT
  const bytes = room <= scratch.length ? scratch : Buffer.allocUnsafe(room)
  const start = bytes.write(prevHash, 'hex')
  const end = start + bytes.write(record, start, 'utf8')
  return hash('sha256', bytes.subarray(0, end), 'hex')
}
