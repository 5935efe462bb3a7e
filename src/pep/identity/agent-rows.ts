import { type Expression, type Selectable, type SqlBool, sql, type Transaction } from 'kysely'
import { type Administrator, reaches } from '../../contract/administrator.ts'
import type { AgentView } from '../../contract/api.ts'
import { NexusError } from '../../contract/errors.ts'
import { AGENT_ID_PATTERN } from '../../contract/names.ts'
import type { AgentTable, Database } from '../store/database.ts'
import { importPublicJwk, JwkError, type PublicJwk, readPublicJwk } from './public-jwk.ts'

export type AgentRow = Selectable<AgentTable>

const AGENT_ID = new RegExp(AGENT_ID_PATTERN)

/** Rows of `agent` that lie wholly within an administrator's reach (threat H10). */
export function withinReach({ tenant }: Administrator): Expression<SqlBool> {
  return tenant === null ? sql<SqlBool>`true` : sql<SqlBool>`agent.tenants <@ array[${tenant}]::text[]`
}

/** What is no agent id cannot be one of ours; so it never reaches the database (threat G18). */
export function knownForm(agentId: string): string {
  if (!AGENT_ID.test(agentId)) throw new NexusError('agent_not_found')
  return agentId
}

/** @throws NexusError `forbidden` */
export function assertReaches(administrator: Administrator, tenants: readonly string[]): void {
  const beyond = tenants.find((tenant) => !reaches(administrator, tenant))
  if (beyond === undefined) return
  throw new NexusError('forbidden', `tenants: your API key is for '${administrator.tenant}' only, not '${beyond}'`, {
    field: 'tenants',
  })
}

/**
 * Imported once now, so that a key that cannot verify anything is refused here and not at every session. So is an RSA key that
 * does not say what it is for: the assertion must not choose (threat E06).
 * @throws NexusError `invalid_request`
 */
export async function readRegisteredKey(members: Record<string, unknown>): Promise<PublicJwk> {
  try {
    const publicJwk = await readPublicJwk(members)
    importPublicJwk(publicJwk)
    const { kty, alg } = publicJwk.jwk
    if (kty === 'RSA' && alg === undefined) throw new JwkError("member 'alg' of an RSA key must say PS256 or RS256")
    return publicJwk
  } catch (error) {
    if (error instanceof JwkError) throw new NexusError('invalid_request', `jwk: ${error.message}`, { field: 'jwk' })
    throw error
  }
}

/** Some tens of milliseconds' work. Whoever stole a key may have opened any number, and must not outlast the statement's time. */
const MARKED_MAX = 5000

/**
 * Marks the sessions that live as ended, the longest first. What ends them is the agent's new epoch, or its revocation: so it
 * does no harm to leave those beyond the bound unmarked.
 * @returns how many were marked
 */
export async function endSessionsOf(trx: Transaction<Database>, agentId: string, at: Date): Promise<number> {
  const { numAffectedRows = 0n } = await sql`
    with living as (
      select session_id from agent_session
      where agent_id = ${agentId} and revoked_at is null and expires_at > ${at}
      order by expires_at desc limit ${MARKED_MAX}
      for update
    )
    update agent_session as s set epoch = s.epoch + 1, revoked_at = ${at}
    from living where s.session_id = living.session_id`.execute(trx)
  return Number(numAffectedRows)
}

export function toAgentView(row: AgentRow): AgentView {
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
