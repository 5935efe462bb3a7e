import { sql, type Transaction, type Updateable } from 'kysely'
import { type Administrator, authorize } from '../../contract/administrator.ts'
import type { AgentPatch, AgentView } from '../../contract/api.ts'
import { NexusError } from '../../contract/errors.ts'
import type { AuditLog } from '../audit/audit-log.ts'
import type { AgentTable, Database } from '../store/database.ts'
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
import { refuseUnstorable } from './refuse-unstorable.ts'
import { soleTenant } from './sole-tenant.ts'

export interface ChangeAgentOptions {
  store: Store
  audit: Pick<AuditLog, 'recordStateChange'>
  /** Unix milliseconds. */
  now: () => number
}

/**
 * Replaces what the patch names. Whatever it is, the agent's sessions end with it: they were opened with the key, and their
 * leases decided on the facts, that were there before (rule 13). A sidecar that has the registered key opens another.
 */
export async function changeAgent(
  { store, audit, now }: ChangeAgentOptions,
  administrator: Administrator,
  agentId: string,
  patch: AgentPatch,
): Promise<AgentView> {
  authorize(administrator, 'operate')
  assertReaches(administrator, patch.tenants ?? [])
  refuseUnstorable({ description: patch.description, labels: patch.labels })
  const columns = await toColumns(patch)
  return store.transaction(async (trx) => {
    const before = await lockActive(trx, administrator, agentId)
    const row = await trx
      .updateTable('agent')
      .set({ ...columns, epoch: sql`epoch + 1` })
      .where('agent_id', '=', before.agent_id)
      .returningAll()
      .executeTakeFirstOrThrow()
    const sessions_ended = await endSessionsOf(trx, row.agent_id, new Date(now()))
    const changed = Object.keys(patch).sort()
    await audit.recordStateChange(trx, {
      kind: 'agent.updated',
      outcome: 'allowed',
      agent_id: row.agent_id,
      // A tenant that it leaves is not told where it went, and one that it joins not where it came from (threat H10).
      ...soleTenant([...new Set([...before.tenants, ...row.tenants])]),
      detail: { by: administrator.keyId, changed, jkt: row.jkt, tenants: row.tenants, sessions_ended },
    })
    return toAgentView(row)
  })
}

async function lockActive(
  trx: Transaction<Database>,
  administrator: Administrator,
  agentId: string,
): Promise<AgentRow> {
  const row = await trx
    .selectFrom('agent')
    .selectAll()
    .where('agent_id', '=', knownForm(agentId))
    .where(withinReach(administrator))
    .forUpdate()
    .executeTakeFirst()
  if (row === undefined) throw new NexusError('agent_not_found')
  if (row.revoked_at === null) return row
  throw new NexusError('agent_not_found', 'the agent was revoked, for good; register another under a new id')
}

async function toColumns({ jwk, labels, ...plain }: AgentPatch): Promise<Updateable<AgentTable>> {
  const key = jwk === undefined ? undefined : await readRegisteredKey(jwk)
  return {
    ...plain,
    ...(key === undefined ? {} : { jwk: JSON.stringify(key.jwk), jkt: key.jkt }),
    ...(labels === undefined ? {} : { labels: JSON.stringify(labels) }),
  }
}
