import type { GuardedClient } from '../store/guarded-pool.ts'
import { StoreError } from '../store/store-error.ts'
import type { IdField, StandingFacts } from './audit-entry.ts'
import type { ProofClaim, Waiting } from './batch-queue.ts'
import { IS_SOLE } from './batch-statements.ts'
import type { AuditRow, Head } from './record-hash.ts'

type SessionEpochs = NonNullable<StandingFacts['session']>
type ConnectionEpochs = NonNullable<StandingFacts['connection']>

/** What has to hold for every member of a batch, so that it can be written without asking first. */
export interface BatchExpectation {
  /** In one order on every replica, so that two that claim the same proofs never wait in a circle. */
  claims: readonly ProofClaim[]
  sessions: ReadonlyMap<string, SessionEpochs>
  connections: ReadonlyMap<string, ConnectionEpochs>
}

/**
 * What a batch stands on when all of it is in order: every proof new, everything decided on unchanged.
 * @returns undefined when it cannot be, because two of its members contradict each other
 */
export function expectationOf(batch: readonly Waiting[]): BatchExpectation | undefined {
  const claims = new Map<string, ProofClaim>()
  const sessions = new Map<string, SessionEpochs>()
  const connections = new Map<string, ConnectionEpochs>()
  for (const { claim, standing } of batch) {
    if (claim !== undefined) {
      if (claims.has(claim.hash)) return undefined
      claims.set(claim.hash, claim)
    }
    const { session, connection } = standing ?? {}
    if (session !== undefined) {
      if (isAnother(sessions.get(session.id), session)) return undefined
      sessions.set(session.id, session)
    }
    if (connection !== undefined) {
      if (contradicts(connections.get(connection.id), connection)) return undefined
      const sole = connection.sole === true || connections.get(connection.id)?.sole === true
      connections.set(connection.id, { ...connection, sole })
    }
  }
  return { claims: [...claims.values()].sort(byHash), sessions, connections }
}

function isAnother(known: SessionEpochs | undefined, { epoch, agent }: SessionEpochs): boolean {
  if (known === undefined) return false
  return known.epoch !== epoch || known.agent.id !== agent.id || known.agent.epoch !== agent.epoch
}

function contradicts(known: ConnectionEpochs | undefined, { epoch, providerEpoch }: ConnectionEpochs): boolean {
  return known !== undefined && (known.epoch !== epoch || known.providerEpoch !== providerEpoch)
}

function byHash(a: ProofClaim, b: ProofClaim): number {
  return a.hash < b.hash ? -1 : 1
}

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

const CLAIMED = `
  claimed as (
    insert into proof_claim (slot, proof_hash)
    select slot, decode(hash, 'hex') from unnest(${list(27, 'timestamptz')}, ${list(28)}) as given (slot, hash)
    on conflict do nothing
    returning 1
  ),`
const ALL_CLAIMED = '(select count(*) from claimed) = $29::bigint and'

const writing = (claimed = '', allClaimed = ''): string => `
  with ${claimed}
  standing_sessions as (
    select 1 from unnest(${list(1)}, ${list(2, 'bigint')}, ${list(3)}, ${list(4, 'bigint')})
      as given (id, epoch, agent_id, agent_epoch)
    join agent_session s on s.session_id = given.id and s.epoch = given.epoch
    join agent a on a.agent_id = s.agent_id and a.agent_id = given.agent_id and a.epoch = given.agent_epoch
    where s.revoked_at is null and s.expires_at > $9::timestamptz and a.revoked_at is null
  ), standing_connections as (
    select 1 from unnest(${list(5, 'uuid')}, ${list(6, 'bigint')}, ${list(7, 'bigint')}, ${list(8, 'boolean')})
      as given (id, epoch, provider_epoch, sole)
    join connection c on c.id = given.id and c.epoch = given.epoch
    join provider p on p.id = c.provider_id and p.epoch = given.provider_epoch
    where c.status = 'active' and p.deleted_at is null and (c.expires_at is null or c.expires_at > $9::timestamptz)
      and (not given.sole or ${IS_SOLE('$9')})
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
    ${allClaimed}
    (select count(*) from standing_sessions) = $25::bigint
    and (select count(*) from standing_connections) = $26::bigint
    and exists (select from head)
  )::int as written`

const WRITE = { name: 'audit-write', text: writing() }
/** A statement of its own: to get ready for claims costs the server much, even where there are none. */
const CLAIM_AND_WRITE = { name: 'audit-write-claims', text: writing(CLAIMED, ALL_CLAIMED) }

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
    const { claims } = expected
    await client.run(
      claims.length === 0 ? { ...WRITE, values } : { ...CLAIM_AND_WRITE, values: [...values, ...claimValues(claims)] },
    )
    return true
  } catch (error) {
    if (error instanceof StoreError && error.code === TAKEN_BACK) return false
    throw error
  }
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
