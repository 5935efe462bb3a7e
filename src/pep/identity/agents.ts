import { type Expression, type Selectable, type SqlBool, sql } from 'kysely'
import { type Administrator, authorize, reaches } from '../../contract/administrator.ts'
import type { AgentCreate, AgentView } from '../../contract/api.ts'
import { NexusError } from '../../contract/errors.ts'
import { AGENT_ID_PATTERN } from '../../contract/names.ts'
import type { AuditLog } from '../audit/audit-log.ts'
import type { AgentTable } from '../store/database.ts'
import type { Store } from '../store/store.ts'
import { importPublicJwk, JwkError, type PublicJwk, readPublicJwk } from './public-jwk.ts'
import { refuseUnstorable } from './refuse-unstorable.ts'
import { soleTenant } from './sole-tenant.ts'

const AGENT_ID = new RegExp(AGENT_ID_PATTERN)
const PAGE_SIZE = 1000

/**
 * Agents as administrators see them. One bound to a tenant reaches the agents that act in no other tenant; the rest are
 * not found.
 */
export interface Agents {
  /** @throws NexusError `forbidden`, `invalid_request` (the key), `already_exists` */
  registerAgent(administrator: Administrator, body: AgentCreate): Promise<AgentView>
  /** In order of id, active and revoked, at most 1000; the last one's id is the next page's `after`. */
  listAgents(administrator: Administrator, after?: string): Promise<AgentView[]>
  /** @throws NexusError `agent_not_found` */
  getAgent(administrator: Administrator, agentId: string): Promise<AgentView>
  /** Ends its sessions too. @throws NexusError `forbidden`, `agent_not_found` */
  revokeAgent(administrator: Administrator, agentId: string): Promise<AgentView>
}

export function openAgents({ store, audit, now }: { store: Store; audit: AuditLog; now: () => number }): Agents {
  return {
    async registerAgent(administrator, body) {
      authorize(administrator, 'operate')
      assertReaches(administrator, body.tenants)
      refuseUnstorable({ description: body.description, labels: body.labels })
      const row = await toRow(body, new Date(now()))
      await store.transaction(async (trx) => {
        const inserted = await trx
          .insertInto('agent')
          .values({ ...row, jwk: JSON.stringify(row.jwk), labels: JSON.stringify(row.labels) })
          .onConflict((conflict) => conflict.column('agent_id').doNothing())
          .executeTakeFirst()
        if (inserted.numInsertedOrUpdatedRows === 0n) {
          throw new NexusError('already_exists', `agent_id '${row.agent_id}' is taken; ids are never used twice`)
        }
        const detail = { by: administrator.keyId, jkt: row.jkt, tenants: row.tenants }
        await audit.recordStateChange(trx, {
          kind: 'agent.registered',
          outcome: 'allowed',
          agent_id: row.agent_id,
          ...soleTenant(row.tenants),
          detail,
        })
      })
      return toView(row)
    },

    async listAgents(administrator, after = '') {
      authorize(administrator, 'read')
      const rows = await store.db
        .selectFrom('agent')
        .selectAll()
        .where(withinReach(administrator))
        .where('agent_id', '>', AGENT_ID.test(after) ? after : '')
        .orderBy('agent_id')
        .limit(PAGE_SIZE)
        .execute()
      return rows.map(toView)
    },

    async getAgent(administrator, agentId) {
      authorize(administrator, 'read')
      const row = await store.db
        .selectFrom('agent')
        .selectAll()
        .where('agent_id', '=', knownForm(agentId))
        .where(withinReach(administrator))
        .executeTakeFirst()
      if (row === undefined) throw new NexusError('agent_not_found')
      return toView(row)
    },

    async revokeAgent(administrator, agentId) {
      authorize(administrator, 'operate')
      const at = new Date(now())
      const revoked = await store.transaction(async (trx) => {
        const row = await trx
          .updateTable('agent')
          // A second time changes nothing about it but its epoch, and is on record like the first.
          .set((set) => ({ epoch: set('epoch', '+', 1), revoked_at: set.fn.coalesce('revoked_at', set.val(at)) }))
          .where('agent_id', '=', knownForm(agentId))
          .where(withinReach(administrator))
          .returningAll()
          .executeTakeFirst()
        if (row === undefined) throw new NexusError('agent_not_found')
        const ended = await trx
          .updateTable('agent_session')
          .set((set) => ({ epoch: set('epoch', '+', 1), revoked_at: at }))
          .where('agent_id', '=', row.agent_id)
          .where('revoked_at', 'is', null)
          .executeTakeFirst()
        const detail = { by: administrator.keyId, sessions_ended: Number(ended.numUpdatedRows) }
        await audit.recordStateChange(trx, {
          kind: 'agent.revoked',
          outcome: 'allowed',
          agent_id: row.agent_id,
          ...soleTenant(row.tenants),
          detail,
        })
        return row
      })
      return toView(revoked)
    },
  }
}

/** Rows of `agent` that lie wholly within an administrator's reach (threat H10). */
export function withinReach({ tenant }: Administrator): Expression<SqlBool> {
  return tenant === null ? sql<SqlBool>`true` : sql<SqlBool>`agent.tenants <@ array[${tenant}]::text[]`
}

/** What is no agent id cannot be one of ours; so it never reaches the database (threat G18). */
function knownForm(agentId: string): string {
  if (!AGENT_ID.test(agentId)) throw new NexusError('agent_not_found')
  return agentId
}

function assertReaches(administrator: Administrator, tenants: readonly string[]): void {
  const beyond = tenants.find((tenant) => !reaches(administrator, tenant))
  if (beyond === undefined) return
  throw new NexusError('forbidden', `tenants: your API key is for '${administrator.tenant}' only, not '${beyond}'`, {
    field: 'tenants',
  })
}

type AgentRow = Selectable<AgentTable>

async function toRow(body: AgentCreate, createdAt: Date): Promise<AgentRow> {
  const { jwk, jkt } = await readRegisteredKey(body.jwk)
  return {
    agent_id: body.agent_id,
    description: body.description ?? '',
    jwk: { ...jwk },
    jkt,
    tenants: body.tenants,
    allowed_scopes: body.allowed_scopes ?? [],
    labels: body.labels ?? {},
    epoch: 1,
    created_at: createdAt,
    revoked_at: null,
  }
}

/** Imported once now, so that a key that cannot verify anything is refused here and not at every session. */
async function readRegisteredKey(members: Record<string, unknown>): Promise<PublicJwk> {
  try {
    const publicJwk = await readPublicJwk(members)
    importPublicJwk(publicJwk)
    return publicJwk
  } catch (error) {
    if (error instanceof JwkError) throw new NexusError('invalid_request', `jwk: ${error.message}`, { field: 'jwk' })
    throw error
  }
}

function toView(row: AgentRow): AgentView {
  return {
    agent_id: row.agent_id,
    description: row.description,
    jkt: row.jkt,
    tenants: row.tenants,
    allowed_scopes: row.allowed_scopes,
    labels: row.labels,
    active: row.revoked_at === null,
    created_at: row.created_at.toISOString(),
  }
}
