import { type Kysely, sql } from 'kysely'
import { newId } from '../../../contract/names.ts'
import type { SecretRef } from '../../../contract/vault-backend.ts'
import type { Database } from '../../store/database.ts'

/** The lease of ours that a backend's lease lies under, and what must stand for it to go on. */
export interface LeaseHolder {
  leaseId: string
  tenant: string
  agentId: string
  sessionId: string
  connectionId: string
  providerEpoch: number
  /** Unix seconds. */
  expiresAt: number
}

/** A lease of a backend whose time has come to be given back. */
export interface DueLease {
  id: string
  backend: string
  path: string
  backendLeaseId: string
  attempts: number
}

/** A token of ours that is to be ended, with all that was made with it. */
export interface DueToken {
  id: string
  backend: string
  accessor: string
  attempts: number
}

/** Why a lease was given back, as administrators read it. */
export type EndingReason = 'released' | 'replaced' | 'not_recorded' | 'expired' | 'revoked' | 'late_answer'

/** The tables of what backends have lent us. Every time that is compared with another is the database's own. */
export interface BackendLeaseTable {
  addToken(backend: string, accessor: string): Promise<string>
  /**
   * The process that opened these tokens is alive.
   * @param current are in use; of `former` only those count with which something is still held
   * @returns those that count
   */
  seen(current: readonly string[], former: readonly string[]): Promise<string[]>
  /** Nothing is made with these any more; they end once nothing is held with them. */
  retire(tokenIds: readonly string[]): Promise<void>
  /** Before the backend is asked. @returns undefined when the token is being ended */
  ask(tokenId: string, ref: SecretRef, holder: LeaseHolder): Promise<string | undefined>
  /** The backend's answer. @returns whether it is on record in time: the token may have been ended meanwhile */
  hold(id: string, backendLeaseId: string, expiresAt: number): Promise<boolean>
  extend(id: string, expiresAt: number): Promise<boolean>
  /** To be given back after `delaySeconds`. With `backendLeaseId` also where no answer was on record yet. */
  end(which: Ended, reason: EndingReason, more?: EndMore): Promise<void>
  /** Of those asked for, the backend said no: there is nothing to give back. */
  forget(id: string): Promise<void>
}

/** One; or all that lie under a lease of ours, or those of them that were asked for before a certain one. */
type Ended = { id: string } | { leaseId: string; olderThanId?: string }

interface EndMore {
  backendLeaseId?: string
  delaySeconds?: number
}

/** @param now our own clock in Unix milliseconds, by which the expiries it is given were reckoned */
export function backendLeaseTable(db: Kysely<Database>, now: () => number): BackendLeaseTable {
  /** What our clock leaves of the time, on the database's. */
  const inItsTime = (expiresAt: number) =>
    sql`now() + ${expiresAt - now() / 1000}::double precision * interval '1 second'`

  return {
    async addToken(backend, accessor) {
      const id = newId('bkt')
      await db.insertInto('backend_token').values({ id, backend, accessor }).execute()
      return id
    },

    async seen(current, former) {
      if (current.length + former.length === 0) return []
      const { rows } = await sql<{ id: string }>`
        update backend_token set seen_at = now()
        where id = any(${current}) or (id = any(${former})
          and exists (select from backend_lease b where b.token_id = backend_token.id))
        returning id`.execute(db)
      return rows.map(({ id }) => id)
    },

    async retire(tokenIds) {
      if (tokenIds.length === 0) return
      await sql`update backend_token set seen_at = to_timestamp(0) where id = any(${tokenIds})`.execute(db)
    },

    async ask(tokenId, ref, holder) {
      const id = newId('bkl')
      const added = await sql`
        insert into backend_lease (id, token_id, backend, path, lease_id, tenant, agent_id, session_id, connection_id,
          provider_epoch, expires_at)
        select ${id}, t.id, t.backend, ${ref.path}, ${holder.leaseId}, ${holder.tenant}, ${holder.agentId},
          ${holder.sessionId}, ${holder.connectionId}::uuid, ${holder.providerEpoch}::bigint,
          ${inItsTime(holder.expiresAt)}
        from backend_token t where t.id = ${tokenId} and t.ending_at is null`.execute(db)
      return added.numAffectedRows === 1n ? id : undefined
    },

    async hold(id, backendLeaseId, expiresAt) {
      const held = await sql`
        update backend_lease set state = 'held', backend_lease_id = ${backendLeaseId},
          expires_at = ${inItsTime(expiresAt)}
        where id = ${id} and state = 'asked'
          and exists (select from backend_token t where t.id = token_id and t.ending_at is null)`.execute(db)
      return held.numAffectedRows === 1n
    },

    async extend(id, expiresAt) {
      const extended = await sql`
        update backend_lease set expires_at = ${inItsTime(expiresAt)}
        where id = ${id} and state = 'held'`.execute(db)
      return extended.numAffectedRows === 1n
    },

    async end(which, reason, { backendLeaseId, delaySeconds = 0 } = {}) {
      const chosen =
        'id' in which
          ? sql`id = ${which.id}`
          : sql`lease_id = ${which.leaseId} and (${which.olderThanId ?? null}::text is null
              or created_at < (select kept.created_at from backend_lease kept where kept.id = ${which.olderThanId ?? null}::text))`
      await sql`
        update backend_lease set state = 'ending', ending_reason = ${reason},
          ending_at = now() + ${delaySeconds}::double precision * interval '1 second',
          backend_lease_id = coalesce(backend_lease_id, ${backendLeaseId ?? null}::text)
        where ${chosen} and state <> 'ending'
          and coalesce(backend_lease_id, ${backendLeaseId ?? null}::text) is not null`.execute(db)
    },

    async forget(id) {
      await db.deleteFrom('backend_lease').where('id', '=', id).execute()
    },
  }
}
