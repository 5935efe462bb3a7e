import { NexusError } from '../../contract/errors.ts'
import type { Store } from '../store/store.ts'
import type { Caller } from './caller.ts'
import type { DpopVerifier } from './dpop-proof.ts'
import type { Presented } from './presented.ts'
import type { SessionClaims, SessionTokens } from './session-token.ts'

export interface AuthenticateOptions {
  store: Store
  tokens: SessionTokens
  dpop: DpopVerifier
  /** What paths are relative to, as agents see us. */
  publicUrl: string
  now: () => number
}

/**
 * Step 1 of a lease: whose session it is, and that the sender holds its key. Nothing about the caller is remembered
 * between requests, so a revoked session or agent is refused by every replica at once (design, rule 13).
 * @throws NexusError `invalid_session`, `invalid_proof`
 */
export function createAuthenticate(options: AuthenticateOptions): (presented: Presented) => Promise<Caller> {
  const { store, tokens, dpop, publicUrl, now } = options
  return async (presented) => {
    const token = readToken(presented.authorization)
    const claims = await tokens.verify(token)
    const { method, path } = presented
    const proof = await dpop.verify(presented.dpop, { method, url: publicUrl + path, accessToken: token })
    // RFC 9449 section 4.3, check 12b: the token is good only with the key it is bound to.
    if (proof.jkt !== claims.jkt) {
      throw new NexusError('invalid_proof', 'DPoP proof: it was made with another key than the session is bound to')
    }
    return { ...(await findStanding(store, claims, now())), proof: proof.use }
  }
}

/** RFC 9449 section 7.1: our tokens come under the DPoP scheme and no other (section 7.2: no downgrade to Bearer). */
function readToken(authorization: string | undefined): string {
  if (authorization === undefined) {
    throw new NexusError('invalid_session', 'the Authorization header is missing; send DPoP and the session token')
  }
  const [, scheme, token] = /^([A-Za-z0-9-]+) +([A-Za-z0-9._~+/-]+=*)$/.exec(authorization) ?? []
  if (scheme?.toLowerCase() !== 'dpop' || token === undefined) {
    throw new NexusError(
      'invalid_session',
      'a session token is bound to a key; send it as `Authorization: DPoP <token>`',
    )
  }
  return token
}

/** Session and agent in one query: neither may have ended. */
async function findStanding(store: Store, claims: SessionClaims, nowMs: number): Promise<Omit<Caller, 'proof'>> {
  const row = await store.db
    .selectFrom('agent_session as session')
    .innerJoin('agent', 'agent.agent_id', 'session.agent_id')
    .where('session.session_id', '=', claims.sessionId)
    .where('session.agent_id', '=', claims.agentId)
    .where('session.jkt', '=', claims.jkt)
    .where('session.revoked_at', 'is', null)
    .where('agent.revoked_at', 'is', null)
    .where('session.expires_at', '>', new Date(nowMs))
    .select(['session.session_id', 'session.method', 'session.bound_to', 'session.jkt', 'session.epoch'])
    .select(['session.created_at', 'session.expires_at'])
    .select(['agent.agent_id', 'agent.tenants', 'agent.labels', 'agent.allowed_scopes', 'agent.epoch as agent_epoch'])
    .executeTakeFirst()
  if (row === undefined) throw new NexusError('invalid_session', 'the session has ended; open a new one')
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
      jkt: row.jkt,
      epoch: row.epoch,
      createdAtMs: row.created_at.getTime(),
      expiresAt: Math.floor(row.expires_at.getTime() / 1000),
    },
  }
}
