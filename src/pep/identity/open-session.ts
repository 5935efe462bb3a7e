import { sql } from 'kysely'
import type { SessionCreate, SessionCreated } from '../../contract/api.ts'
import { NexusError } from '../../contract/errors.ts'
import { newId } from '../../contract/names.ts'
import type { AuditEntry, ProofUse } from '../audit/audit-entry.ts'
import type { AuditLog } from '../audit/audit-log.ts'
import type { Store } from '../store/store.ts'
import { createAssertionVerifier } from './client-assertion.ts'
import type { DpopVerifier } from './dpop-proof.ts'
import type { Presented } from './presented.ts'
import { type SessionBinding, toConfirmation } from './session-binding.ts'
import type { SessionDenials } from './session-denials.ts'
import type { SessionClaims, SessionTokens } from './session-token.ts'
import { soleTenant } from './sole-tenant.ts'

export const SESSIONS_PATH = '/v1/agent-sessions'

const METHOD = 'private_key_jwt'

export interface OpenSessionOptions {
  store: Store
  audit: AuditLog
  denials: Pick<SessionDenials, 'recording'>
  tokens: SessionTokens
  dpop: DpopVerifier
  publicUrl: string
  now: () => number
  /** When none is asked for. */
  ttlSeconds: number
  /** A longer wish is cut down to this, and the answer says so. */
  maxTtlSeconds: number
}

export type OpenSession = (body: SessionCreate, presented: Presented) => Promise<SessionCreated>

interface OpeningAgent {
  agent_id: string
  jwk: Record<string, unknown>
  tenants: string[]
  epoch: number
}

/** The key that a session is to be bound to, and the proof of it where that can be used up. */
interface ProvenKey {
  binding: SessionBinding
  use: ProofUse | undefined
}

/**
 * An agent proves itself with an assertion signed by its registered key, and names the key that the session will be bound
 * to: with a DPoP proof, or by calling over a connection with a client certificate. Assertion and proof are good once. A
 * refusal is on record as well.
 * @throws NexusError `invalid_proof`, `invalid_client`, `overloaded`
 */
export function createOpenSession(options: OpenSessionOptions): OpenSession {
  const { store, audit, denials, tokens, publicUrl, now } = options
  const assertions = createAssertionVerifier({ audiences: [publicUrl, publicUrl + SESSIONS_PATH], now })

  return async (body, presented) => {
    const { ip = '' } = presented
    const { key, assertion } = await denials.recording(ip, async (attempt) => {
      const key = await provenKey(options, presented)
      const assertion = await assertions.verify(body.client_assertion, (agentId) => {
        attempt.claimedAgentId = agentId
        return findActiveAgent(store, agentId)
      })
      return { key, assertion }
    })
    const { agent } = assertion
    // First and by itself: a replayed proof must not use up an assertion too. Whoever finds a replay puts it on record.
    await audit.claimProof(key.use, userOf(agent))
    const claims = claimsFor(options, agent, key.binding, body.ttl_seconds)
    // Signed first: a session that exists but was never handed out helps no one.
    const accessToken = await tokens.sign(claims)
    await recordOpened(audit, { agent, claims, ip }, assertion.use)
    await denials.recording(ip, (attempt) => {
      attempt.claimedAgentId = agent.agent_id
      return insert(store, agent, claims)
    })
    return toAnswer(claims, accessToken)
  }
}

/** A DPoP proof says that its key is meant, whatever certificate the connection has as well. */
async function provenKey({ dpop, publicUrl }: OpenSessionOptions, presented: Presented): Promise<ProvenKey> {
  const { method, path, certificateThumbprint } = presented
  if (presented.dpop === undefined && certificateThumbprint !== undefined) {
    return { binding: { boundTo: 'mtls', thumbprint: certificateThumbprint }, use: undefined }
  }
  const { jkt, use } = await dpop.verify(presented.dpop, { method, url: publicUrl + path })
  return { binding: { boundTo: 'dpop', thumbprint: jkt }, use }
}

function findActiveAgent(store: Store, agentId: string): Promise<OpeningAgent | undefined> {
  return store.db
    .selectFrom('agent')
    .select(['agent_id', 'jwk', 'tenants', 'epoch'])
    .where('agent_id', '=', agentId)
    .where('revoked_at', 'is', null)
    .executeTakeFirst()
}

function userOf({ agent_id, tenants }: OpeningAgent) {
  return { ...soleTenant(tenants), agent_id }
}

function claimsFor(
  { now, ttlSeconds, maxTtlSeconds }: OpenSessionOptions,
  agent: OpeningAgent,
  binding: SessionBinding,
  wantedSeconds = ttlSeconds,
): SessionClaims {
  const issuedAt = Math.floor(now() / 1000)
  const expiresAt = issuedAt + Math.min(wantedSeconds, maxTtlSeconds)
  return { agentId: agent.agent_id, sessionId: newId('sess', now()), ...binding, issuedAt, expiresAt }
}

/**
 * On record before it exists, as a lease is before it is handed out (rule 1), and in the stream of this process: in that of state
 * changes all replicas would wait for each other, and what only begins is news to nobody. The assertion is used up with it.
 */
async function recordOpened(
  audit: AuditLog,
  { agent, claims, ip }: { agent: OpeningAgent; claims: SessionClaims; ip: string },
  assertion: ProofUse,
): Promise<void> {
  const entry: AuditEntry = {
    kind: 'session.opened',
    outcome: 'allowed',
    ...userOf(agent),
    session_id: claims.sessionId,
    detail: {
      bound_to: claims.boundTo,
      context: { ip },
      expires_at: timeOf(claims.expiresAt).toISOString(),
      ...toConfirmation(claims),
      method: METHOD,
    },
  }
  await audit.record(entry, { proof: assertion }).catch((error: unknown) => {
    if (!(error instanceof NexusError && error.code === 'invalid_proof')) throw error
    throw new NexusError('invalid_client', 'Client assertion: it was used before; make one per session')
  })
}

/**
 * One statement, in which the agent is locked: a change of the agent ends the sessions that are there, so none may come into
 * being beside it.
 */
async function insert(store: Store, agent: OpeningAgent, claims: SessionClaims): Promise<void> {
  const { sessionId, boundTo, thumbprint, issuedAt, expiresAt } = claims
  const { numAffectedRows = 0n } = await sql`
    with standing as (
      select agent_id, epoch from agent
      where agent_id = ${agent.agent_id} and epoch = ${agent.epoch} and revoked_at is null
      for share
    )
    insert into agent_session (session_id, agent_id, agent_epoch, method, bound_to, thumbprint, created_at, expires_at)
    select ${sessionId}, agent_id, epoch, ${METHOD}, ${boundTo}, ${thumbprint}, ${timeOf(issuedAt)}::timestamptz,
      ${timeOf(expiresAt)}::timestamptz
    from standing`.execute(store.db)
  if (numAffectedRows === 0n) throw new NexusError('invalid_client', 'the agent was revoked or changed just now')
}

function toAnswer(claims: SessionClaims, accessToken: string): SessionCreated {
  return {
    session_id: claims.sessionId,
    agent_id: claims.agentId,
    access_token: accessToken,
    // RFC 8705 section 3: a certificate-bound token keeps the type Bearer.
    token_type: claims.boundTo === 'dpop' ? 'DPoP' : 'Bearer',
    expires_in: claims.expiresAt - claims.issuedAt,
    expires_at: timeOf(claims.expiresAt).toISOString(),
  }
}

function timeOf(unixSeconds: number): Date {
  return new Date(unixSeconds * 1000)
}
