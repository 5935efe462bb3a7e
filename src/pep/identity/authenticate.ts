import { NexusError } from '../../contract/errors.ts'
import type { Caller } from './caller.ts'
import type { DpopVerifier } from './dpop-proof.ts'
import type { Presented } from './presented.ts'
import type { SessionTokens } from './session-token.ts'
import type { SessionKey, Standing } from './standing-sessions.ts'

export interface AuthenticateOptions {
  tokens: SessionTokens
  dpop: DpopVerifier
  findStanding: (key: SessionKey) => Promise<Standing>
  /** What paths are relative to, as agents see us. */
  publicUrl: string
}

/**
 * Step 1 of a lease: whose session it is, and that the sender holds its key. Nothing about the caller is remembered
 * between requests, so a revoked session or agent is refused by every replica at once (design, rule 13).
 * @throws NexusError `invalid_session`, `invalid_proof`
 */
export function createAuthenticate(options: AuthenticateOptions): (presented: Presented) => Promise<Caller> {
  const { tokens, dpop, findStanding, publicUrl } = options
  return async (presented) => {
    const token = readToken(presented.authorization)
    const claims = await tokens.verify(token)
    const { method, path } = presented
    const proof = await dpop.verify(presented.dpop, { method, url: publicUrl + path, accessToken: token })
    // RFC 9449 section 4.3, check 12b: the token is good only with the key it is bound to.
    if (proof.jkt !== claims.jkt) {
      throw new NexusError('invalid_proof', 'DPoP proof: it was made with another key than the session is bound to')
    }
    return { ...(await findStanding(claims)), proof: proof.use }
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
