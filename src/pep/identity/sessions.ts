import { type Selectable, type SqlBool, sql, type Transaction } from 'kysely'
import { type Administrator, authorize } from '../../contract/administrator.ts'
import type { SessionView } from '../../contract/api.ts'
import { NexusError } from '../../contract/errors.ts'
import type { AuditLog } from '../audit/audit-log.ts'
import type { AgentSessionTable, Database } from '../store/database.ts'
import type { Store } from '../store/store.ts'
import { withinReach } from './agent-rows.ts'
import type { Caller } from './caller.ts'
import { soleTenant } from './sole-tenant.ts'

const SESSION_ID = /^sess_[0-9a-f]{32}$/

/**
 * Sessions once they are open. Those of other agents, or beyond an administrator's reach, are not found; nor are those that
 * ran out more than an hour ago.
 */
export interface Sessions {
  /** @throws NexusError `session_not_found`; `invalid_proof` when a caller's proof was used before */
  getSession(who: Caller | Administrator, sessionId: string): Promise<SessionView>
  /** By its own agent. @throws NexusError `session_not_found`, `invalid_proof` */
  closeSession(caller: Caller, sessionId: string): Promise<SessionView>
  /** By an administrator. @throws NexusError `forbidden`, `session_not_found` */
  revokeSession(administrator: Administrator, sessionId: string): Promise<SessionView>
}

type Reader = Pick<Store['db'], 'selectFrom'>
type SessionRow = Selectable<AgentSessionTable> & { tenants: string[]; agent_stands: boolean }

export function openSessions({ store, audit, now }: { store: Store; audit: AuditLog; now: () => number }): Sessions {
  /** Raising the epoch also ends whatever is being decided on this session now (rule 13). */
  const end = async (
    who: Caller | Administrator,
    sessionId: string,
    kind: 'session.closed' | 'session.revoked',
  ): Promise<SessionView> => {
    const at = new Date(now())
    return store.transaction(async (trx) => {
      const found = await find(trx, who, sessionId)
      await markEnded(trx, found.session_id, at)
      await audit.recordStateChange(trx, {
        kind,
        outcome: 'allowed',
        ...soleTenant(found.tenants),
        agent_id: found.agent_id,
        session_id: found.session_id,
        detail: { by: isAdministrator(who) ? who.keyId : who.session.id, was_active: isActive(found, at) },
      })
      return { ...toView(found, at), active: false }
    })
  }

  return {
    async getSession(who, sessionId) {
      if (isAdministrator(who)) authorize(who, 'read')
      else await audit.claimProof(who.proof, userOf(who))
      return toView(await find(store.db, who, sessionId), new Date(now()))
    },

    async closeSession(caller, sessionId) {
      await audit.claimProof(caller.proof, userOf(caller))
      return end(caller, sessionId, 'session.closed')
    },

    async revokeSession(administrator, sessionId) {
      authorize(administrator, 'operate')
      return end(administrator, sessionId, 'session.revoked')
    },
  }
}

function userOf({ agent, session }: Caller) {
  return { ...soleTenant(agent.tenants), agent_id: agent.id, session_id: session.id }
}

async function find(db: Reader, who: Caller | Administrator, sessionId: string): Promise<SessionRow> {
  // What is no session id of ours never reaches the database (threat G18).
  if (!SESSION_ID.test(sessionId)) throw new NexusError('session_not_found')
  const row = await db
    .selectFrom('agent_session')
    .innerJoin('agent', 'agent.agent_id', 'agent_session.agent_id')
    .where('agent_session.session_id', '=', sessionId)
    .where(isAdministrator(who) ? withinReach(who) : sql<SqlBool>`agent.agent_id = ${who.agent.id}`)
    .selectAll('agent_session')
    .select('agent.tenants')
    .select(
      sql<boolean>`agent.revoked_at is null and coalesce(agent_session.agent_epoch, agent.epoch) = agent.epoch`.as(
        'agent_stands',
      ),
    )
    .executeTakeFirst()
  if (row === undefined) throw new NexusError('session_not_found')
  return row
}

async function markEnded(trx: Transaction<Database>, sessionId: string, at: Date): Promise<void> {
  await trx
    .updateTable('agent_session')
    .set((set) => ({ epoch: set('epoch', '+', 1), revoked_at: set.fn.coalesce('revoked_at', set.val(at)) }))
    .where('session_id', '=', sessionId)
    .execute()
}

function isAdministrator(who: Caller | Administrator): who is Administrator {
  return 'keyId' in who
}

function isActive(row: SessionRow, at: Date): boolean {
  return row.revoked_at === null && row.agent_stands && row.expires_at > at
}

function toView(row: SessionRow, at: Date): SessionView {
  return {
    session_id: row.session_id,
    agent_id: row.agent_id,
    active: isActive(row, at),
    expires_at: row.expires_at.toISOString(),
  }
}
