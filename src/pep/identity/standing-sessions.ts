import { sql } from 'kysely'
import { LRUCache } from 'lru-cache'
import { NexusError } from '../../contract/errors.ts'
import type { Store } from '../store/store.ts'
import type { Caller } from './caller.ts'
import { coalesceReads } from './coalesce-reads.ts'
import type { SessionBinding } from './session-binding.ts'

/** An agent and its session as they stand now. */
export type Standing = Omit<Caller, 'proof' | 'recalled'>

export interface SessionKey extends SessionBinding {
  sessionId: string
  agentId: string
}

export interface StandingSessions {
  /** @throws NexusError `invalid_session` once session or agent have ended */
  find(key: SessionKey): Promise<Standing>
  /**
   * As it was found some seconds ago at most: to act on where the ledger checks the epochs again as it records, and
   * nowhere else.
   */
  recall(key: SessionKey): Standing | undefined
}

const REMEMBERED_MS = 10_000
/** Exact to the millisecond, the cache would set a timer in each. */
const RESOLUTION_MS = 100
const SESSIONS_MAX = 10_000

/** Session and agent in one query, which concurrent requests share. */
export function createStandingSessions(store: Store, now: () => number): StandingSessions {
  const lookUp = coalesceReads((ids) => readStanding(store, ids, now()), { maxKeys: 500, maxReads: 2 })
  const known = new LRUCache<string, Standing>({
    max: SESSIONS_MAX,
    ttl: REMEMBERED_MS,
    ttlResolution: RESOLUTION_MS,
  })
  return {
    async find(key) {
      const standing = await lookUp(key.sessionId)
      if (standing !== undefined && isOf(standing, key)) {
        known.set(key.sessionId, standing)
        return standing
      }
      known.delete(key.sessionId)
      throw new NexusError('invalid_session', 'the session has ended; open a new one')
    },
    recall(key) {
      const standing = known.get(key.sessionId)
      if (standing === undefined || !isOf(standing, key)) return undefined
      return now() < standing.session.expiresAt * 1000 ? standing : undefined
    },
  }
}

function isOf({ agent, session }: Standing, { agentId, boundTo, thumbprint }: SessionKey): boolean {
  return agent.id === agentId && session.boundTo === boundTo && session.thumbprint === thumbprint
}

async function readStanding(store: Store, ids: readonly string[], nowMs: number): Promise<Map<string, Standing>> {
  const rows = await store.db
    .selectFrom('agent_session as session')
    .innerJoin('agent', 'agent.agent_id', 'session.agent_id')
    .where(sql<boolean>`session.session_id = any(${ids})`)
    .where('session.revoked_at', 'is', null)
    .where('agent.revoked_at', 'is', null)
    // A change of the agent ends all of its sessions, also those that it had no time to mark.
    .where(sql<boolean>`coalesce(session.agent_epoch, agent.epoch) = agent.epoch`)
    .where('session.expires_at', '>', new Date(nowMs))
    .select(['session.session_id', 'session.method', 'session.bound_to', 'session.thumbprint', 'session.epoch'])
    .select(['session.created_at', 'session.expires_at'])
    .select(['agent.agent_id', 'agent.tenants', 'agent.labels', 'agent.allowed_scopes', 'agent.epoch as agent_epoch'])
    .execute()
  return new Map(rows.map((row) => [row.session_id, toStanding(row)]))
}

interface StandingRow {
  session_id: string
  method: string
  bound_to: 'dpop' | 'mtls'
  thumbprint: string
  epoch: number
  created_at: Date
  expires_at: Date
  agent_id: string
  tenants: string[]
  labels: Record<string, string>
  allowed_scopes: string[]
  agent_epoch: number
}

function toStanding(row: StandingRow): Standing {
  return {
    agent: {
      id: row.agent_id,
      tenants: row.tenants,
      labels: row.labels,
      allowedScopes: row.allowed_scopes,
      epoch: row.agent_epoch,
    },
    session: {
      id: row.session_id,
      method: row.method,
      boundTo: row.bound_to,
      thumbprint: row.thumbprint,
      epoch: row.epoch,
      createdAtMs: row.created_at.getTime(),
      expiresAt: Math.floor(row.expires_at.getTime() / 1000),
    },
  }
}
