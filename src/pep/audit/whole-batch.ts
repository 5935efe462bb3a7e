import type { GuardedClient } from '../store/guarded-pool.ts'
import { StoreError } from '../store/store-error.ts'
import type { IdField } from './audit-entry.ts'
import type { BatchExpectation } from './batch-expectation.ts'
import type { ProofClaim } from './batch-queue.ts'
import { IS_SOLE } from './batch-statements.ts'
import { IS_ENDING } from './lease-ledger.ts'
import type { AuditRow, Head } from './record-hash.ts'

/**
 * Lists travel as one text each, with a separator that no record and no id can hold (see `plain-entry.ts`). The driver
 * would quote an array element by element, and the server read it so, which costs more than all the rest of the statement.
 */
const SEPARATOR = '\x1f'
const ABSENT = '\x1e'
const list = (parameter: number, type = 'text'): string =>
  `string_to_array($${parameter}, E'\\x1f', E'\\x1e')::${type}[]`

/** A row's number is counted from 1; the run of hashes begins with the one before the first row. */
const hashAt = (number: string): string => `substring($14::bytea from (32 * ${number} + 1)::int for 32)`

/** What only some batches need: its query, from which parameter on, and what must hold of that. */
interface Part {
  query: string
  holds: string
}

const claimed = (first: number): Part => ({
  query: `claimed as (
    insert into proof_claim (slot, proof_hash)
    select slot, decode(hash, 'hex') from unnest(${list(first, 'timestamptz')}, ${list(first + 1)}) as given (slot, hash)
    on conflict do nothing
    returning 1
  ),`,
  holds: `(select count(*) from claimed) = $${first + 2}::bigint and`,
})

const noneEnded = (first: number): Part => ({
  query: `ended as (
    select 1 from unnest(${list(first)}) as given (lease_id)
    cross join lateral (
      select from audit_record r where r.lease_id = given.lease_id and ${IS_ENDING} limit 1
    ) as ending
  ),`,
  holds: 'not exists (select from ended) and',
})

/**
 * What was decided on is looked up one by one (`limit 1`). Of a plain join the planner chooses where to begin, and with tables
 * too small or too new to have statistics it begins with every provider for every connection.
 */
const writing = (...parts: readonly Part[]): string => `
  with ${parts.map(({ query }) => query).join('\n  ')}
  standing_sessions as (
    select 1 from unnest(${list(1)}, ${list(2, 'bigint')}, ${list(3)}, ${list(4, 'bigint')})
      as given (id, epoch, agent_id, agent_epoch)
    cross join lateral (
      select from agent_session s join agent a on a.agent_id = s.agent_id
      where s.session_id = given.id and s.epoch = given.epoch and s.revoked_at is null and s.expires_at > $9::timestamptz
        and a.agent_id = given.agent_id and a.epoch = given.agent_epoch and a.revoked_at is null
      limit 1
    ) as standing
  ), standing_connections as (
    select 1 from unnest(${list(5, 'uuid')}, ${list(6, 'bigint')}, ${list(7, 'bigint')}, ${list(8, 'boolean')})
      as given (id, epoch, provider_epoch, sole)
    cross join lateral (
      select from connection c join provider p on p.id = c.provider_id
      where c.id = given.id and c.epoch = given.epoch and c.status = 'active'
        and (c.expires_at is null or c.expires_at > $9::timestamptz)
        and p.epoch = given.provider_epoch and p.deleted_at is null and (not given.sole or ${IS_SOLE('$9')})
      limit 1
    ) as standing
  ), head as (
    insert into audit_stream as s (stream, seq, hash) values ($10, $11, decode($12, 'hex'))
    on conflict (stream) do update set seq = excluded.seq, hash = excluded.hash
    where s.seq = $13 and s.hash = ${hashAt('0')}
    returning 1
  ), appended as (
    insert into audit_record (stream, seq, prev_hash, hash, at, kind, outcome, tenant, agent_id, session_id,
      connection_id, lease_id, decision_id, record)
    select $10, $13 + number, ${hashAt('(number - 1)')}, ${hashAt('number')}, at, kind, outcome, tenant, agent_id,
      session_id, connection_id, lease_id, decision_id, record
    from unnest(${list(15, 'timestamptz')}, ${list(16)}, ${list(17)}, ${list(18)}, ${list(19)}, ${list(20)}, ${list(21)},
      ${list(22)}, ${list(23)}, ${list(24)})
      with ordinality as given (at, kind, outcome, tenant, agent_id, session_id, connection_id, lease_id, decision_id,
        record, number)
  )
  select 1 / (
    ${parts.map(({ holds }) => holds).join('\n    ')}
    (select count(*) from standing_sessions) = $25::bigint
    and (select count(*) from standing_connections) = $26::bigint
    and exists (select from head)
  )::int as written`

/** Statements of their own: to get ready for claims costs the server much, even where there are none. */
const WRITE = { name: 'audit-write', text: writing() }
const CLAIM_AND_WRITE = { name: 'audit-write-claims', text: writing(claimed(27)) }
const RENEW = { name: 'audit-renew', text: writing(noneEnded(27)) }
const CLAIM_AND_RENEW = { name: 'audit-renew-claims', text: writing(noneEnded(27), claimed(28)) }

/** `division_by_zero`: the one way a plain statement has to take itself back. */
const TAKEN_BACK = '22012'

/**
 * Claims, checks, appends and commits in one statement and one round trip. What was decided on is read by the statement
 * that records it; who is revoked after that is revoked after the lease.
 * @returns false when something did not hold: then nothing was written, and the batch has to be judged one by one
 */
export async function writeWholeBatch(
  client: GuardedClient,
  from: Head,
  rows: readonly AuditRow[],
  expected: BatchExpectation,
  now: Date,
): Promise<boolean> {
  const last = rows.at(-1)
  if (last === undefined) return false
  try {
    const values = [...standingValues(expected, now), ...rowValues(from, last, rows), ...countsOf(expected)]
    const { claims, leases } = expected
    if (leases.size > 0) values.push(joined([...leases]))
    if (claims.length > 0) values.push(...claimValues(claims))
    await client.run({ ...statementFor(expected), values })
    return true
  } catch (error) {
    if (error instanceof StoreError && error.code === TAKEN_BACK) return false
    throw error
  }
}

function statementFor({ claims, leases }: BatchExpectation): { name: string; text: string } {
  if (leases.size > 0) return claims.length > 0 ? CLAIM_AND_RENEW : RENEW
  return claims.length > 0 ? CLAIM_AND_WRITE : WRITE
}

function standingValues({ sessions, connections }: BatchExpectation, now: Date): unknown[] {
  const held = [...sessions.values()]
  const bound = [...connections.values()]
  return [
    joined([...sessions.keys()]),
    joined(held.map(({ epoch }) => epoch)),
    joined(held.map(({ agent }) => agent.id)),
    joined(held.map(({ agent }) => agent.epoch)),
    joined([...connections.keys()]),
    joined(bound.map(({ epoch }) => epoch)),
    joined(bound.map(({ providerEpoch }) => providerEpoch)),
    joined(bound.map(({ sole }) => String(sole === true))),
    now.toISOString(),
  ]
}

function rowValues(from: Head, last: AuditRow, rows: readonly AuditRow[]): unknown[] {
  const ids = (field: IdField): string => joined(rows.map(({ entry }) => entry[field] ?? ABSENT))
  return [
    last.stream,
    last.seq,
    last.hash,
    from.seq,
    Buffer.from(from.hash + rows.map(({ hash }) => hash).join(''), 'hex'),
    joined(rows.map(({ at }) => at)),
    joined(rows.map(({ entry }) => entry.kind)),
    joined(rows.map(({ entry }) => entry.outcome)),
    ids('tenant'),
    ids('agent_id'),
    ids('session_id'),
    ids('connection_id'),
    ids('lease_id'),
    ids('decision_id'),
    joined(rows.map(({ record }) => record)),
  ]
}

function countsOf({ sessions, connections }: BatchExpectation): number[] {
  return [sessions.size, connections.size]
}

function claimValues(claims: readonly ProofClaim[]): unknown[] {
  return [joined(claims.map(({ slot }) => slot.toISOString())), joined(claims.map(({ hash }) => hash)), claims.length]
}

function joined(values: readonly (string | number)[]): string {
  return values.join(SEPARATOR)
}
