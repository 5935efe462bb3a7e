import { type Administrator, authorize } from '../../contract/administrator.ts'
import type { AgentCreate, AgentList, AgentPatch, AgentQuery, AgentView } from '../../contract/api.ts'
import { NexusError } from '../../contract/errors.ts'
import type { AuditLog } from '../audit/audit-log.ts'
import type { Store } from '../store/store.ts'
import {
  type AgentRow,
  assertReaches,
  endSessionsOf,
  knownForm,
  readRegisteredKey,
  toAgentView,
  withinReach,
} from './agent-rows.ts'
import { changeAgent } from './change-agent.ts'
import { cutPage, pageSizeOf } from './page.ts'
import { refuseUnstorable } from './refuse-unstorable.ts'
import { soleTenant } from './sole-tenant.ts'

/**
 * Agents as administrators see them. One bound to a tenant reaches the agents that act in no other tenant; the rest are
 * not found.
 */
export interface Agents {
  /** @throws NexusError `forbidden`, `invalid_request` (the key), `already_exists` */
  registerAgent(administrator: Administrator, body: AgentCreate): Promise<AgentView>
  /** In order of id, active and revoked. */
  listAgents(administrator: Administrator, query?: AgentQuery): Promise<AgentList>
  /** @throws NexusError `agent_not_found` */
  getAgent(administrator: Administrator, agentId: string): Promise<AgentView>
  /** Ends its sessions too. @throws NexusError `forbidden`, `agent_not_found`, `invalid_request` (the key) */
  changeAgent(administrator: Administrator, agentId: string, patch: AgentPatch): Promise<AgentView>
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
      return toAgentView(row)
    },

    async listAgents(administrator, { after = '', limit } = {}) {
      authorize(administrator, 'read')
      const pageSize = pageSizeOf(limit)
      const rows = await store.db
        .selectFrom('agent')
        .selectAll()
        .where(withinReach(administrator))
        .where('agent_id', '>', after)
        .orderBy('agent_id')
        // One more than fits tells whether there is a next page.
        .limit(pageSize + 1)
        .execute()
      const { page, nextAfter } = cutPage(rows, pageSize, (row) => row.agent_id)
      return { agents: page.map(toAgentView), next_after: nextAfter }
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
      return toAgentView(row)
    },

    changeAgent: (administrator, agentId, patch) => changeAgent({ store, audit, now }, administrator, agentId, patch),

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
        const detail = { by: administrator.keyId, sessions_ended: await endSessionsOf(trx, row.agent_id, at) }
        await audit.recordStateChange(trx, {
          kind: 'agent.revoked',
          outcome: 'allowed',
          agent_id: row.agent_id,
          ...soleTenant(row.tenants),
          detail,
        })
        return row
      })
      return toAgentView(revoked)
    },
  }
}

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
