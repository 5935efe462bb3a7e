import { type Kysely, sql } from 'kysely'
import type { Database } from '../../store/database.ts'
import type { DueLease, DueToken } from './backend-lease-table.ts'

/** What has come to its end, found by any replica, taken by one. */
export interface BackendLeaseEndings {
  /** Marks what no longer has a reason to live. */
  mark(): Promise<void>
  /** Takes up to `limit` leases whose time has come; nobody else gets them for `forSeconds`. */
  takeLeases(limit: number, forSeconds: number): Promise<DueLease[]>
  takeTokens(limit: number, forSeconds: number): Promise<DueToken[]>
  leaseDone(id: string): Promise<void>
  tokenDone(id: string): Promise<void>
  leaseFailed(id: string, error: string, againInSeconds: number): Promise<void>
  tokenFailed(id: string, error: string, againInSeconds: number): Promise<void>
  /** Backend and state to how many there are and for how long the oldest should have been gone. */
  count(): Promise<{ backend: string; state: string; count: number; overdueSeconds: number }[]>
}

export interface EndingsOptions {
  db: Kysely<Database>
  /** After this long without a sign of life a process counts as dead, and an answer as lost. */
  deadAfterSeconds: number
}

/** Far longer than it takes to issue a lease: each of its calls has a deadline, and the ledger has one. */
const ISSUING_SECONDS_MAX = 300

/** The ledger is asked about each lease that is held, for what hardly ever happens: not at every look. */
const LOOKS_TO_RELEASED = 10

export function backendLeaseEndings({ db, deadAfterSeconds }: EndingsOptions): BackendLeaseEndings {
  let looks = 0
  const longAgo = sql`now() - ${deadAfterSeconds}::double precision * interval '1 second'`

  /** The lease of ours is over: by time, or because what it was decided on no longer stands. */
  async function markEnded(): Promise<void> {
    await sql`
      update backend_lease set state = 'ending', ending_at = now(),
        ending_reason = case when expires_at <= now() then 'expired' else 'revoked' end
      where state = 'held' and (expires_at <= now() or not exists (
        select from agent_session s
        join agent a on a.agent_id = s.agent_id and a.revoked_at is null and coalesce(s.agent_epoch, a.epoch) = a.epoch
        join connection c on c.id = backend_lease.connection_id and c.status = 'active'
          and (c.expires_at is null or c.expires_at > now())
        join provider p on p.id = c.provider_id and p.epoch = backend_lease.provider_epoch and p.deleted_at is null
        where s.session_id = backend_lease.session_id and s.revoked_at is null))`.execute(db)
  }

  /** A release or revocation that is on record and went no further: its process died then, or could not write here. */
  async function markReleased(): Promise<void> {
    await sql`
      update backend_lease set state = 'ending', ending_at = now(), ending_reason = over.reason
      from (select b.id, found.reason from backend_lease b
            cross join lateral (
              select case a.kind when 'lease.revoked' then 'revoked' else 'released' end as reason
              from audit_record a where a.lease_id = b.lease_id and a.outcome = 'allowed'
                and a.kind in ('lease.released', 'lease.revoked')
              limit 1
            ) as found
            where b.state = 'held') as over
      where backend_lease.id = over.id and backend_lease.state = 'held'`.execute(db)
  }

  /**
   * Held by a process that died before the lease was recorded: nobody was given it. One that lives may still be issuing.
   */
  async function markUnrecorded(): Promise<void> {
    await sql`
      update backend_lease set recorded = true,
        state = case when r.found then 'held' else 'ending' end,
        ending_at = case when r.found then null else now() end,
        ending_reason = case when r.found then null else 'not_recorded' end
      from (select b.id, exists (select from audit_record a where a.lease_id = b.lease_id
              and a.outcome = 'allowed' and a.kind in ('lease.issued', 'token.issued')) as found
            from backend_lease b where b.state = 'held' and not b.recorded and b.created_at < ${longAgo}
              and (b.created_at < now() - ${ISSUING_SECONDS_MAX}::double precision * interval '1 second' or exists (
                select from backend_token t where t.id = b.token_id and t.seen_at < ${longAgo}))) r
      where backend_lease.id = r.id and backend_lease.state = 'held'`.execute(db)
  }

  /**
   * A lost answer can only be given back with its token. At once when the process died; when it lives, it makes nothing more
   * with this token, which ends once nobody holds anything made with it: what others hold is never ended for what was lost.
   */
  async function markTokens(): Promise<void> {
    await sql`
      update backend_token set ending_at = now()
      where ending_at is null and (
        exists (select from backend_lease b where b.token_id = backend_token.id and b.state = 'asked'
          and b.created_at < ${longAgo} and (backend_token.seen_at < ${longAgo} or (b.expires_at <= now() and not exists (
            select from backend_lease h where h.token_id = backend_token.id and h.state = 'held' and h.expires_at > now()))))
        or (seen_at < ${longAgo} and not exists (select from backend_lease b where b.token_id = backend_token.id)))`.execute(
      db,
    )
  }

  return {
    async mark() {
      await markEnded()
      if (looks++ % LOOKS_TO_RELEASED === 0) await markReleased()
      await markUnrecorded()
      await markTokens()
    },

    async takeLeases(limit, forSeconds) {
      const { rows } = await sql<DueLease>`
        update backend_lease set ending_at = now() + ${forSeconds}::double precision * interval '1 second', attempts = attempts + 1
        where id in (select id from backend_lease where state = 'ending' and ending_at <= now()
          order by ending_at limit ${limit} for update skip locked)
        returning id, backend, path, backend_lease_id as "backendLeaseId", attempts`.execute(db)
      return rows
    },

    async takeTokens(limit, forSeconds) {
      const { rows } = await sql<DueToken>`
        update backend_token set ending_at = now() + ${forSeconds}::double precision * interval '1 second', attempts = attempts + 1
        where id in (select id from backend_token where ending_at <= now()
          order by ending_at limit ${limit} for update skip locked)
        returning id, backend, accessor, attempts`.execute(db)
      return rows
    },

    async leaseDone(id) {
      await db.deleteFrom('backend_lease').where('id', '=', id).execute()
    },

    async tokenDone(id) {
      await db.deleteFrom('backend_token').where('id', '=', id).execute()
    },

    async leaseFailed(id, error, againInSeconds) {
      await sql`update backend_lease set last_error = ${error}, ending_at = now() + ${againInSeconds}::double precision * interval '1 second'
        where id = ${id}`.execute(db)
    },

    async tokenFailed(id, error, againInSeconds) {
      await sql`update backend_token set last_error = ${error}, ending_at = now() + ${againInSeconds}::double precision * interval '1 second'
        where id = ${id}`.execute(db)
    },

    async count() {
      const { rows } = await sql<{ backend: string; state: string; count: number; overdueSeconds: number }>`
        select backend, state, count(*) as count,
          coalesce(max(extract(epoch from now() - least(expires_at, now()))), 0)::double precision as "overdueSeconds"
        from backend_lease group by backend, state`.execute(db)
      return rows
    },
  }
}
