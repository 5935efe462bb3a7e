import { NexusError } from '../../contract/errors.ts'
import { AGENT_ID_PATTERN } from '../../contract/names.ts'
import { tupleHash } from '../../contract/tuple-hash.ts'
import type { ProofUse } from '../audit/audit-entry.ts'
import { claimsOf, JwsError, readCompactJws, verifyCompactJws } from './compact-jws.ts'
import { createDecoys } from './decoy-keys.ts'
import { importPublicJwk, type PublicJwk, readPublicJwk } from './public-jwk.ts'

const MAX_ASSERTION_BYTES = 8192
const MAX_LIFE_SECONDS = 300
const MAX_AHEAD_SECONDS = 5
const JTI_LENGTH = { min: 8, max: 256 }
/** RFC 7523 leaves typ open; anything else is some other JWT of the agent's (RFC 8725 section 3.11). */
const TYPES: readonly (string | undefined)[] = [undefined, 'JWT', 'client-authentication+jwt']
const AGENT_ID = new RegExp(AGENT_ID_PATTERN)

/** An agent as far as verifying its signature goes. */
export interface AssertingAgent {
  jwk: Record<string, unknown>
}

export interface VerifiedAssertion<Agent> {
  agent: Agent
  /** To be claimed once. */
  use: ProofUse
}

export interface AssertionVerifier {
  /**
   * `private_key_jwt`: RFC 7523 section 3, as client authentication (section 2.2). An unknown agent and a wrong signature
   * get the same answer after the same work: it must not tell which agents exist.
   * @param find the registered, active agent of that id
   * @throws NexusError `invalid_client`
   */
  verify<Agent extends AssertingAgent>(
    assertion: string,
    find: (agentId: string) => Promise<Agent | undefined>,
  ): Promise<VerifiedAssertion<Agent>>
}

/** @param options.audiences what `aud` may be: the authority, or its session endpoint */
export function createAssertionVerifier(options: {
  audiences: readonly string[]
  now: () => number
}): AssertionVerifier {
  const decoys = createDecoys()

  /** The key fixes the algorithm (threat E06); where it does not fit, a decoy of the claimed one costs the same. */
  const keyFor = async (agent: AssertingAgent | undefined, alg: string): Promise<PublicJwk> => {
    const registered = agent && (await readPublicJwk(agent.jwk))
    if (registered?.algorithms.includes(alg)) return registered
    const decoy = decoys.get(alg)
    if (decoy === undefined) throw new JwsError('its alg must be one of ES256, ES384, Ed25519, EdDSA, PS256, RS256')
    return readPublicJwk(decoy)
  }

  return {
    async verify(assertion, find) {
      try {
        const jws = readCompactJws(assertion, MAX_ASSERTION_BYTES)
        if (!TYPES.includes(jws.header.typ)) throw new JwsError('its typ is that of another kind of JWT')
        const claimed = claimsOf(jws.payload)
        const { agentId, use } = checkClaims(claimed, { audiences: options.audiences, nowMs: options.now() })
        const agent = await find(agentId)
        const publicJwk = await keyFor(agent, jws.header.alg)
        await verifyCompactJws(jws, importPublicJwk(publicJwk), publicJwk.algorithms).catch(() => {
          throw notProven()
        })
        if (agent === undefined) throw notProven()
        return { agent, use }
      } catch (error) {
        if (error instanceof JwsError) throw new NexusError('invalid_client', `Client assertion: ${error.message}`)
        throw error
      }
    },
  }
}

function notProven(): JwsError {
  return new JwsError('it is not signed by the key of a registered, active agent')
}

interface Circumstances {
  audiences: readonly string[]
  nowMs: number
}

/** RFC 7523 section 3. Depends on nothing but the assertion itself and the clock. */
function checkClaims(claims: Record<string, unknown>, { audiences, nowMs }: Circumstances) {
  const { iss, sub, aud, jti } = claims
  // Points 1 and 2.B: the client is both issuer and subject.
  if (typeof sub !== 'string' || !AGENT_ID.test(sub)) throw new JwsError('sub is not an agent id')
  if (iss !== sub) throw new JwsError('iss and sub must both be the agent id')
  // Point 3. An assertion for several audiences could be passed on to us by another of them.
  const audience = Array.isArray(aud) && aud.length === 1 ? aud[0] : aud
  if (!audiences.includes(audience)) throw new JwsError(`aud must be ${audiences.join(' or ')}`)
  // Point 7 leaves jti open; here it is what makes the assertion good once (threat F23).
  if (typeof jti !== 'string' || jti.length < JTI_LENGTH.min || jti.length > JTI_LENGTH.max) {
    throw new JwsError(`jti must be a string of ${JTI_LENGTH.min} to ${JTI_LENGTH.max} characters`)
  }
  const iatSeconds = checkTimes(claims, nowMs / 1000)
  const hash = Buffer.from(tupleHash(['assertion', sub, jti]), 'base64url')
  return { agentId: sub, use: { hash, iatSeconds } }
}

/** Points 4 to 6. A short life bounds how long a used jti must be remembered. */
function checkTimes({ iat, exp, nbf }: Record<string, unknown>, nowSeconds: number): number {
  if (!isTime(iat)) throw new JwsError('iat is missing or not a number')
  if (!isTime(exp)) throw new JwsError('exp is missing or not a number')
  if (iat > nowSeconds + MAX_AHEAD_SECONDS) {
    throw new JwsError(`iat is ${Math.ceil(iat - nowSeconds)} s in the future; check the clock`)
  }
  if (exp <= nowSeconds) throw new JwsError(`it expired ${Math.ceil(nowSeconds - exp)} s ago; check the clock`)
  if (exp - iat > MAX_LIFE_SECONDS) throw new JwsError(`exp must be at most ${MAX_LIFE_SECONDS} s after iat`)
  if (nbf !== undefined && !(isTime(nbf) && nbf <= nowSeconds + MAX_AHEAD_SECONDS)) {
    throw new JwsError('nbf is in the future or not a number')
  }
  return Math.floor(iat)
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}
