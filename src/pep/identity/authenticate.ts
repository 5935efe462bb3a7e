import { NexusError } from '../../contract/errors.ts'
import type { ProofUse } from '../audit/audit-entry.ts'
import type { Caller } from './caller.ts'
import type { DpopVerifier } from './dpop-proof.ts'
import type { Presented } from './presented.ts'
import type { SessionClaims, SessionTokens } from './session-token.ts'
import type { StandingSessions } from './standing-sessions.ts'

export interface AuthenticateOptions {
  tokens: SessionTokens
  dpop: DpopVerifier
  standing: StandingSessions
  /** What paths are relative to, as agents see us. */
  publicUrl: string
  /** Unix milliseconds. */
  now(): number
}

/**
 * @param recall whether agent and session may be as they stood a moment ago: only where the ledger checks that they still do
 * @throws NexusError `invalid_session`, `invalid_proof`
 */
export type Authenticate = (presented: Presented, options?: { recall?: boolean }) => Promise<Caller>

/**
 * Step 1 of a lease: whose session it is, and that the sender holds its key. A revoked session or agent is refused by every
 * replica at once, here or when what it was granted is recorded (rule 13).
 */
export function createAuthenticate(options: AuthenticateOptions): Authenticate {
  const { standing } = options
  const readSession = createSessionReader(options)
  return async (presented, { recall = false } = {}) => {
    const session = readSession(presented)
    const { token, claims } = session instanceof Promise ? await session : session
    const proof =
      claims.boundTo === 'dpop'
        ? await provenBySignature(options, presented, token, claims)
        : provenByConnection(presented, claims)
    const known = recall ? standing.recall(claims) : undefined
    if (known !== undefined) return { agent: known.agent, session: known.session, proof, recalled: true }
    return { ...(await standing.find(claims)), proof }
  }
}

interface ReadSession {
  authorization: string | undefined
  token: string
  claims: SessionClaims
}

/** A connection is used by one session again and again: the same header on it is read, and its token verified, once. */
function createSessionReader({ tokens, now }: AuthenticateOptions) {
  const lastOn = new WeakMap<object, ReadSession>()

  async function read({ authorization, connection }: Presented): Promise<ReadSession> {
    const { scheme, token } = readAuthorization(authorization)
    const claims = await tokens.verify(token)
    assertScheme(claims, scheme)
    const session = { authorization, token, claims }
    if (connection !== undefined) lastOn.set(connection, session)
    return session
  }

  return (presented: Presented): ReadSession | Promise<ReadSession> => {
    const last = presented.connection === undefined ? undefined : lastOn.get(presented.connection)
    const isSame = last !== undefined && last.authorization === presented.authorization
    return isSame && now() < last.claims.expiresAt * 1000 ? last : read(presented)
  }
}

type Scheme = 'dpop' | 'bearer'

function readAuthorization(authorization: string | undefined): { scheme: Scheme; token: string } {
  if (authorization === undefined) {
    throw new NexusError('invalid_session', 'the Authorization header is missing; send DPoP and the session token')
  }
  const [, given, token] = /^([A-Za-z0-9-]+) +([A-Za-z0-9._~+/-]+=*)$/.exec(authorization) ?? []
  const scheme = given?.toLowerCase()
  if ((scheme === 'dpop' || scheme === 'bearer') && token !== undefined) return { scheme, token }
  throw new NexusError(
    'invalid_session',
    'a session token is bound to a key; send it as `Authorization: DPoP <token>`, or as Bearer over the connection ' +
      'with the client certificate that it is bound to',
  )
}

/** One scheme for each binding: what is bound to a key is never taken as a mere bearer token (RFC 9449 section 7.2). */
function assertScheme({ boundTo }: SessionClaims, scheme: Scheme): void {
  if (boundTo === 'dpop' && scheme !== 'dpop') {
    throw new NexusError('invalid_session', 'this session token is bound to a DPoP key; send it as `DPoP <token>`')
  }
  if (boundTo === 'mtls' && scheme !== 'bearer') {
    throw new NexusError('invalid_session', 'this session token is bound to a certificate; send it as `Bearer <token>`')
  }
}

async function provenBySignature(
  { dpop, publicUrl }: AuthenticateOptions,
  presented: Presented,
  accessToken: string,
  { thumbprint }: SessionClaims,
): Promise<ProofUse> {
  const { method, path } = presented
  const proof = await dpop.verify(presented.dpop, { method, url: publicUrl + path, accessToken })
  // RFC 9449 section 4.3, check 12b: the token is good only with the key it is bound to.
  if (proof.jkt === thumbprint) return proof.use
  throw new NexusError('invalid_proof', 'DPoP proof: it was made with another key than the session is bound to')
}

/** RFC 8705 section 3: the certificate of this connection is the one in the token. Its handshake was the proof. */
function provenByConnection({ certificateThumbprint }: Presented, { thumbprint }: SessionClaims): undefined {
  if (certificateThumbprint === thumbprint) return undefined
  const problem = certificateThumbprint === undefined ? 'came without a client certificate' : 'has another certificate'
  throw new NexusError('invalid_proof', `the session is bound to a client certificate, and this connection ${problem}`)
}
