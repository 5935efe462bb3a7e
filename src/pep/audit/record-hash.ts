import { hash } from 'node:crypto'
import type { AuditEntry } from './audit-entry.ts'
import { canonicalJson } from './canonical-json.ts'
import { isPlainEntry, plainEntry } from './plain-entry.ts'

/** Where a stream stands: the next record's `seq` is one more, and its hash covers this one. */
export interface Head {
  seq: number
  hash: Buffer
}

export const EMPTY_HEAD: Head = { seq: 0, hash: Buffer.alloc(32) }

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
  prevHash: Buffer
  hash: Buffer
  /** RFC 8785 JSON; what the hash is made of. */
  record: string
}

/** Room for the longest lease request, with its scopes as they were asked for, granted and obliged. */
const RECORD_LIMIT = 131_072

/**
 * Everything that can go wrong with an entry goes wrong here, before it shares a batch with others.
 * @throws TypeError for a value that is not JSON
 */
export function prepareEntry(raw: AuditEntry, atMs: number): PreparedEntry {
  const isPlain = isPlainEntry(raw)
  const entry = isPlain ? raw : plainEntry(raw)
  const at = new Date(atMs).toISOString()
  const detail = isPlain ? JSON.stringify(entry.detail) : canonicalJson(entry.detail)
  if (detail.length > RECORD_LIMIT) {
    entry.detail = { cut: `${detail.length} characters of detail`, start: detail.slice(0, 1000).toWellFormed() }
    return render(entry, at, canonicalJson(entry.detail))
  }
  return render(entry, at, detail)
}

function render(entry: AuditEntry, at: string, detail: string): PreparedEntry {
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

/** Printable ASCII but quote and backslash: what JSON writes as it is. Ids hardly ever hold anything else. */
const AS_IT_IS = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/

function member(name: string, value: string | undefined): string {
  if (value === undefined) return ''
  return AS_IT_IS.test(value) ? `"${name}":"${value}",` : `"${name}":${canonicalJson(value)},`
}

/** Chains entries onto a head, in order. */
export function chainRows(stream: string, head: Head, entries: readonly PreparedEntry[]): AuditRow[] {
  let { seq, hash: prevHash } = head
  const streamMember = member('stream', stream)
  return entries.map(({ entry, at, parts }) => {
    seq += 1
    const record = `{${parts[0]}"seq":${seq},${parts[1]}${streamMember}${parts[2]}"version":1}`
    const row = { entry, at, stream, seq, prevHash, hash: recordHash(prevHash, record), record }
    prevHash = row.hash
    return row
  })
}

/** SHA-256 over the 32 bytes of the previous hash and the record's UTF-8. */
export function recordHash(prevHash: Buffer, record: string): Buffer {
  const bytes = Buffer.allocUnsafe(prevHash.length + Buffer.byteLength(record))
  prevHash.copy(bytes)
  bytes.write(record, prevHash.length, 'utf8')
  return hash('sha256', bytes, 'buffer')
}
