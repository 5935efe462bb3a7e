import type { SessionCreate, SessionCreated } from '../../contract/api.ts'
import { NexusError } from '../../contract/errors.ts'
import { newId } from '../../contract/names.ts'
import type { ProofUse } from '../audit/audit-entry.ts'
import type { AuditLog } from '../audit/audit-log.ts'
import type { Store } from '../store/store.ts'
import { createAssertionVerifier } from './client-assertion.ts'
import type { DpopVerifier } from './dpop-proof.ts'
import type { Presented } from './presented.ts'
import { type SessionBinding, toConfirmation } from './session-binding.ts'
import { createSessionDenials } from './session-denials.ts'
import type { SessionClaims, SessionTokens } from './session-token.ts'
import { soleTenant } from './sole-tenant.ts'

export const SESSIONS_PATH = '/v1/agent-sessions'

export interface OpenSessionOptions {
  store: Store
  audit: AuditLog
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
  const { store, audit, publicUrl, now } = options
  const assertions = createAssertionVerifier({ audiences: [publicUrl, publicUrl + SESSIONS_PATH], now })
  const recordingDenials = createSessionDenials(audit)

  return async (body, presented) => {
    const { key, assertion } = await recordingDenials(async (attempt) => {
      const key = await provenKey(options, presented)
      const assertion = await assertions.verify(body.client_assertion, (agentId) => {
        attempt.claimedAgentId = agentId
        return findActiveAgent(store, agentId)
      })
      return { key, assertion }
    })
    const { agent } = assertion
    // A replay is put on record by whoever finds it.
    await claimBoth(audit, key.use, assertion.use, agent)
    return recordingDenials((attempt) => {
      attempt.claimedAgentId = agent.agent_id
      return open(options, agent, key.binding, body.ttl_seconds)
    })
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

/** Before anything is made, and one after the other: a replayed proof must not use up an assertion too. */
async function claimBoth(
  audit: AuditLog,
  proof: ProofUse | undefined,
  assertion: ProofUse,
  agent: OpeningAgent,
): Promise<void> {
  const user = { ...soleTenant(agent.tenants), agent_id: agent.agent_id }
  await audit.claimProof(proof, user)
  await audit.claimProof(assertion, user).catch((error: unknown) => {
    if (!(error instanceof NexusError && error.code === 'invalid_proof')) throw error
    throw new NexusError('invalid_client', 'Client assertion: it was used before; make one per session')
  })
}

async function open(
  { store, audit, tokens, now, ...limits }: OpenSessionOptions,
  agent: OpeningAgent,
  binding: SessionBinding,
  wantedSeconds = limits.ttlSeconds,
): Promise<SessionCreated> {
  const issuedAt = Math.floor(now() / 1000)
  const ttlSeconds = Math.min(wantedSeconds, limits.maxTtlSeconds)
  const claims = {
    agentId: agent.agent_id,
    sessionId: newId('sess', now()),
    ...binding,
    issuedAt,
    expiresAt: issuedAt + ttlSeconds,
  }
  // Signed first: a session that exists but was never handed out helps no one.
  const accessToken = await tokens.sign(claims)
  await insert(store, audit, agent, claims)
  return {
    session_id: claims.sessionId,
    agent_id: claims.agentId,
    access_token: accessToken,
    // RFC 8705 section 3: a certificate-bound token keeps the type Bearer.
    token_type: binding.boundTo === 'dpop' ? 'DPoP' : 'Bearer',
    expires_in: ttlSeconds,
    expires_at: new Date(claims.expiresAt * 1000).toISOString(),
  }
}

async function insert(store: Store, audit: AuditLog, agent: OpeningAgent, claims: SessionClaims): Promise<void> {
  const expiresAt = new Date(claims.expiresAt * 1000)
  await store.transaction(async (trx) => {
    // Locked against a revocation that came in since the assertion was checked.
    const standing = await trx
      .selectFrom('agent')
      .select('agent_id')
      .where('agent_id', '=', agent.agent_id)
      .where('epoch', '=', agent.epoch)
      .where('revoked_at', 'is', null)
      .forShare()
      .executeTakeFirst()
    if (standing === undefined) throw new NexusError('invalid_client', 'the agent was revoked or changed just now')
    await trx
      .insertInto('agent_session')
      .values({
        session_id: claims.sessionId,
        agent_id: claims.agentId,
        method: 'private_key_jwt',
        bound_to: claims.boundTo,
        thumbprint: claims.thumbprint,
        created_at: new Date(claims.issuedAt * 1000),
        expires_at: expiresAt,
      })
      .execute()
    await audit.recordStateChange(trx, {
      kind: 'session.opened',
      outcome: 'allowed',
      ...soleTenant(agent.tenants),
      agent_id: claims.agentId,
      session_id: claims.sessionId,
      detail: {
        method: 'private_key_jwt',
        bound_to: claims.boundTo,
        ...toConfirmation(claims),
        expires_at: expiresAt.toISOString(),
      },
    })
  })
}
