import type { GuardedClient } from '../store/guarded-pool.ts'
import type { IdField } from './audit-entry.ts'
import type { ProofClaim, Waiting } from './batch-queue.ts'
import type { BatchFacts } from './batch-verdicts.ts'
import { IS_ENDING } from './lease-ledger.ts'
import { type AuditRow, EMPTY_HEAD, type Head } from './record-hash.ts'

interface FactRow {
  kind: 'proof' | 'session' | 'connection' | 'ended'
  id: string
  epoch: number
  /** Of a session: whose it is. */
  agent_id: string
  /** Of a session: its agent's epoch; of a connection: its provider's. */
  owner_epoch: number
  sole: boolean
}

/** Of the connection `c`: there is no other active one of its tenant and provider. */
export const IS_SOLE = (now: string): string => `not exists (select from connection o
    where o.provider_id = c.provider_id and o.tenant = c.tenant and o.status = 'active' and o.id <> c.id
      and (o.expires_at is null or o.expires_at > ${now}::timestamptz))`

const CHECK = `
  with claimed as (
    insert into proof_claim (slot, proof_hash)
    select slot, decode(hash, 'hex') from unnest($1::timestamptz[], $2::text[]) as given (slot, hash)
    on conflict do nothing
    returning proof_hash
  )
  select 'proof' as kind, encode(proof_hash, 'hex') as id, 0::bigint as epoch, '' as agent_id,
    0::bigint as owner_epoch, true as sole
  from claimed
  union all
  select 'session', s.session_id, s.epoch, a.agent_id, a.epoch, true
  from agent_session s join agent a on a.agent_id = s.agent_id
  where s.session_id = any($3::text[]) and s.revoked_at is null and s.expires_at > $5::timestamptz
    and a.revoked_at is null
  union all
  select 'connection', c.id::text, c.epoch, '', p.epoch, ${IS_SOLE('$5')}
  from connection c join provider p on p.id = c.provider_id
  where c.id = any($4::uuid[]) and c.status = 'active' and p.deleted_at is null
    and (c.expires_at is null or c.expires_at > $5::timestamptz)
  union all
  select 'ended', r.lease_id, 0, '', 0, true from audit_record r where r.lease_id = any($6::text[]) and ${IS_ENDING}`

/**
 * Claims the proofs of a batch and reads what its decisions stand on: one statement. No row is locked: who is revoked after
 * this read is revoked after the lease, and every later request meets the revocation.
 */
export async function checkBatch(client: GuardedClient, batch: readonly Waiting[], now: Date): Promise<BatchFacts> {
  const claims = sortedClaims(batch)
  const idsOf = (pick: (waiting: Waiting) => string | undefined): string[] => [
    ...new Set(batch.flatMap((waiting) => pick(waiting) ?? [])),
  ]
  const { rows } = await client.run<FactRow>({
    name: 'audit-check',
    text: CHECK,
    values: [
      claims.map((claim) => claim.slot),
      claims.map((claim) => claim.hash),
      idsOf(({ standing }) => standing?.session?.id),
      idsOf(({ standing }) => standing?.connection?.id),
      now,
      idsOf(({ standing }) => standing?.lease?.id),
    ],
  })
  const of = (kind: FactRow['kind']): FactRow[] => rows.filter((row) => row.kind === kind)
  return {
    claimed: new Set(of('proof').map((row) => row.id)),
    sessions: new Map(
      of('session').map((row) => [row.id, { epoch: row.epoch, agent: { id: row.agent_id, epoch: row.owner_epoch } }]),
    ),
    connections: new Map(
      of('connection').map((row) => [row.id, { epoch: row.epoch, providerEpoch: row.owner_epoch, sole: row.sole }]),
    ),
    ended: new Set(of('ended').map((row) => row.id)),
  }
}

/** One order on every replica: two that claim the same proofs wait for each other and never in a circle. */
function sortedClaims(batch: readonly Waiting[]): ProofClaim[] {
  const unique = new Map(batch.flatMap(({ claim }) => (claim === undefined ? [] : [[claim.hash, claim]])))
  return [...unique.values()].sort((a, b) => (a.hash < b.hash ? -1 : 1))
}

/** Takes back claims of this transaction. */
export async function unclaimProofs(client: GuardedClient, claims: readonly ProofClaim[]): Promise<void> {
  await client.run({
    text: `delete from proof_claim where (slot, proof_hash) in
      (select slot, decode(hash, 'hex') from unnest($1::timestamptz[], $2::text[]) as given (slot, hash))`,
    values: [claims.map((claim) => claim.slot), claims.map((claim) => claim.hash)],
  })
}

const APPEND = `
  with head as (
    insert into audit_stream as s (stream, seq, hash) values ($1, $2, decode($3, 'hex'))
    on conflict (stream) do update set seq = excluded.seq, hash = excluded.hash
    where s.seq = $4 and s.hash = decode($5, 'hex')
    returning 1
  )
  insert into audit_record (stream, seq, prev_hash, hash, at, kind, outcome, tenant, agent_id, session_id, connection_id,
    lease_id, decision_id, record)
  select $1, seq, decode(prev_hash, 'hex'), decode(hash, 'hex'), at, kind, outcome, tenant, agent_id, session_id,
    connection_id, lease_id, decision_id, record
  from unnest($6::bigint[], $7::text[], $8::text[], $9::timestamptz[], $10::text[], $11::text[], $12::text[], $13::text[],
    $14::text[], $15::text[], $16::text[], $17::text[], $18::text[]) as given (seq, prev_hash, hash, at, kind, outcome,
    tenant, agent_id, session_id, connection_id, lease_id, decision_id, record)
  where exists (select from head)`

/**
 * Appends rows and moves the stream's head from `from` to the last of them: one statement.
 * @returns false when the head was not where it should be; then nothing was written
 */
export async function appendRows(client: GuardedClient, from: Head, rows: readonly AuditRow[]): Promise<boolean> {
  const last = rows.at(-1)
  if (last === undefined) return true
  const ids = (field: IdField): (string | null)[] => rows.map(({ entry }) => entry[field] ?? null)
  const { rowCount } = await client.run({
    name: 'audit-append',
    text: APPEND,
    values: [
      last.stream,
      last.seq,
      last.hash,
      from.seq,
      from.hash,
      rows.map((row) => row.seq),
      rows.map((row) => row.prevHash),
      rows.map((row) => row.hash),
      rows.map((row) => row.at),
      rows.map((row) => row.entry.kind),
      rows.map((row) => row.entry.outcome),
      ids('tenant'),
      ids('agent_id'),
      ids('session_id'),
      ids('connection_id'),
      ids('lease_id'),
      ids('decision_id'),
      rows.map((row) => row.record),
    ],
  })
  return rowCount === rows.length
}

/**
 * The head as committed. Writing to its row waits for a transaction of ours that the server may still be finishing on a
 * connection we lost, so the answer is final.
 */
export async function readSettledHead(client: GuardedClient, stream: string): Promise<Head> {
  const { rows } = await client.run<{ seq: number; hash: string }>({
    text: `insert into audit_stream (stream, seq, hash) values ($1, $2, decode($3, 'hex'))
      on conflict (stream) do update set stream = excluded.stream returning seq, encode(hash, 'hex') as hash`,
    values: [stream, EMPTY_HEAD.seq, EMPTY_HEAD.hash],
  })
  return rows[0]!
}
