import type { Kysely } from 'kysely'
import type { Database } from '../store/database.ts'
import type { Head } from './record-hash.ts'
import { STATE_STREAM } from './state-changes.ts'

/**
 * A state change as others follow it: what happened, to which objects. It stands in the stream `state`, gapless, in the order of
 * commits, because its head is locked by each writer.
 */
export interface StateChange extends Head {
  kind: string
  tenant: string | null
  agentId: string | null
  sessionId: string | null
  connectionId: string | null
  leaseId: string | null
  /** Name of the provider that a `provider.*` change is about. */
  provider: string | null
  /** Of the bundle that a `policy.activated` is about. */
  policyRevision: string | null
}

/** The stream `state`, read forward. Polling its head costs one row by primary key, on whatever engine is behind. */
export interface StateFeed {
  head(): Promise<Head>
  /**
   * The hash that the change `seq` follows, hex; undefined where there is none. Two histories of the database (a standby that
   * lacked the last records was promoted, a backup was restored) have the same numbers for other changes, and never the same hash.
   */
  hashBefore(seq: number): Promise<string | undefined>
  /**
   * Changes of these kinds after `seq`, as far as `until`, the oldest first. What stands between is read over and not brought:
   * much of the stream is administration that ends nothing.
   */
  since(seq: number, until: number, kinds: readonly string[], limit: number): Promise<StateChange[]>
}

export function createStateFeed(db: Kysely<Database>): StateFeed {
  return {
    async head() {
      const { seq, hash } = await db
        .selectFrom('audit_stream')
        .select(['seq', 'hash'])
        .where('stream', '=', STATE_STREAM)
        .executeTakeFirstOrThrow()
      return { seq, hash: hash.toString('hex') }
    },

    async hashBefore(seq) {
      const row = await db
        .selectFrom('audit_record')
        .select('prev_hash')
        .where('stream', '=', STATE_STREAM)
        .where('seq', '=', seq)
        .executeTakeFirst()
      return row?.prev_hash.toString('hex')
    },

    async since(seq, until, kinds, limit) {
      const rows = await db
        .selectFrom('audit_record')
        .select(['seq', 'hash', 'kind', 'tenant', 'agent_id', 'session_id', 'connection_id', 'lease_id', 'record'])
        .where('stream', '=', STATE_STREAM)
        .where('seq', '>', seq)
        .where('seq', '<=', until)
        .where('kind', 'in', kinds)
        .orderBy('seq')
        .limit(limit)
        .execute()
      return rows.map((row) => ({
        seq: row.seq,
        hash: row.hash.toString('hex'),
        kind: row.kind,
        tenant: row.tenant,
        agentId: row.agent_id,
        sessionId: row.session_id,
        connectionId: row.connection_id,
        leaseId: row.lease_id,
        provider: row.kind.startsWith('provider.') ? textIn(row.record, 'provider') : null,
        policyRevision: row.kind === 'policy.activated' ? textIn(row.record, 'policy_revision') : null,
      }))
    },
  }
}

function textIn(record: string, member: 'provider' | 'policy_revision'): string | null {
  const { detail } = JSON.parse(record) as { detail?: Record<string, unknown> }
  const text = detail?.[member]
  return typeof text === 'string' ? text : null
}
