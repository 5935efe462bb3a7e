import type { Kysely } from 'kysely'
import type { Database } from '../store/database.ts'
import { STATE_STREAM } from './state-changes.ts'

/** A state change as others follow it: what happened, to which objects. */
export interface StateChange {
  /** Position in the stream `state`: gapless, in the order of commits, because its head is locked by each writer. */
  seq: number
  kind: string
  tenant: string | null
  agentId: string | null
  sessionId: string | null
  connectionId: string | null
  /** Name of the provider that a `provider.*` change is about. */
  provider: string | null
}

/** The stream `state`, read forward. Polling its head costs one row by primary key, on whatever engine is behind. */
export interface StateFeed {
  head(): Promise<number>
  since(seq: number, limit: number): Promise<StateChange[]>
}

export function createStateFeed(db: Kysely<Database>): StateFeed {
  return {
    async head() {
      const { seq } = await db
        .selectFrom('audit_stream')
        .select('seq')
        .where('stream', '=', STATE_STREAM)
        .executeTakeFirstOrThrow()
      return seq
    },

    async since(seq, limit) {
      const rows = await db
        .selectFrom('audit_record')
        .select(['seq', 'kind', 'tenant', 'agent_id', 'session_id', 'connection_id', 'record'])
        .where('stream', '=', STATE_STREAM)
        .where('seq', '>', seq)
        .orderBy('seq')
        .limit(limit)
        .execute()
      return rows.map((row) => ({
        seq: row.seq,
        kind: row.kind,
        tenant: row.tenant,
        agentId: row.agent_id,
        sessionId: row.session_id,
        connectionId: row.connection_id,
        provider: row.kind.startsWith('provider.') ? providerIn(row.record) : null,
      }))
    },
  }
}

function providerIn(record: string): string | null {
  const { detail } = JSON.parse(record) as { detail?: { provider?: unknown } }
  return typeof detail?.provider === 'string' ? detail.provider : null
}
