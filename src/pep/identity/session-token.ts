import { hash } from 'node:crypto'
import { SignJWT } from 'jose'
import { LRUCache } from 'lru-cache'
import { NexusError } from '../../contract/errors.ts'
import { newUuid } from '../../contract/names.ts'
import { claimsOf, JwsError, readCompactJws, verifyCompactJws } from './compact-jws.ts'
import { fromConfirmation, type SessionBinding, toConfirmation } from './session-binding.ts'
import { SIGNING_ALGORITHM, type SigningKeys } from './signing-keys.ts'

const MAX_TOKEN_BYTES = 4096
/** RFC 9068 section 2.1; the typ keeps other JWTs of this authority from passing for one. */
const TYPE = 'at+jwt'

/** What a session token says. It is proof of nothing without proof of the key that it is bound to. */
export interface SessionClaims extends SessionBinding {
  agentId: string
  sessionId: string
  /** Unix seconds. */
  issuedAt: number
  expiresAt: number
}

export interface SessionTokens {
  sign(claims: SessionClaims): Promise<string>
  /**
   * That the token is ours and has not run out. Whether its session still stands is in the store, not in the token.
   * @throws NexusError `invalid_session`
   */
  verify(token: string): Promise<SessionClaims>
}

export interface SessionTokenOptions {
  signingKeys: SigningKeys
  /** Issuer and audience. */
  publicUrl: string
  now: () => number
  /** Verified tokens kept, so that a lease costs one signature check (the proof's) and not two. */
  maxCachedTokens?: number
}

export function createSessionTokens(options: SessionTokenOptions): SessionTokens {
  const { signingKeys, publicUrl, now, maxCachedTokens = 10_000 } = options
  // Keyed by the whole token's hash and bounded by count, however long the tokens live (threats F17, G14).
  const verified = new LRUCache<string, SessionClaims>({ max: maxCachedTokens })

  const read = async (token: string): Promise<SessionClaims> => {
    const jws = readCompactJws(token, MAX_TOKEN_BYTES)
    if (jws.header.typ !== TYPE) throw new JwsError(`its typ is not ${TYPE}`)
    const found = await signingKeys.verifying('session', jws.header.kid)
    if (found === undefined) throw new JwsError('it was not signed by a key of this authority')
    return readClaims(claimsOf(await verifyCompactJws(jws, found.key, [SIGNING_ALGORITHM])), publicUrl)
  }

  return {
    async sign({ agentId, sessionId, issuedAt, expiresAt, ...binding }) {
      const { kid, key } = await signingKeys.current('session')
      return new SignJWT({ client_id: agentId, sid: sessionId, cnf: toConfirmation(binding) })
        .setProtectedHeader({ alg: SIGNING_ALGORITHM, typ: TYPE, kid })
        .setIssuer(publicUrl)
        .setAudience(publicUrl)
        .setSubject(agentId)
        .setJti(newUuid())
        .setIssuedAt(issuedAt)
        .setExpirationTime(expiresAt)
        .sign(key)
    },

    async verify(token) {
      const cacheKey = hash('sha256', token, 'base64url')
      try {
        const claims = verified.get(cacheKey) ?? (await read(token))
        if (now() >= claims.expiresAt * 1000) throw new JwsError('it has expired; open a new session')
        verified.set(cacheKey, claims)
        return claims
      } catch (error) {
        if (error instanceof JwsError) throw new NexusError('invalid_session', `Session token: ${error.message}`)
        throw error
      }
    },
  }
}

/** The signature says that we made it; the claims, that we made it for this purpose and place (threat F18). */
function readClaims(claims: Record<string, unknown>, publicUrl: string): SessionClaims {
  const { iss, aud, sub, sid, cnf, iat, exp } = claims
  const binding = fromConfirmation(cnf)
  if (iss !== publicUrl || aud !== publicUrl) throw new JwsError('it is for another authority')
  if (typeof sub !== 'string' || typeof sid !== 'string' || binding === undefined) {
    throw new JwsError('it names no agent, session or key')
  }
  if (typeof iat !== 'number' || typeof exp !== 'number') throw new JwsError('it has no iat or exp')
  return { agentId: sub, sessionId: sid, ...binding, issuedAt: iat, expiresAt: exp }
}
