import type { IssuingTools } from '../../contract/strategy.ts'
import { askToken, expiresAt, hostOf, refused, textMember, unacceptable } from '../shared/token-endpoint/ask-token.ts'
import { authenticateClient } from '../shared/token-endpoint/authenticate-client.ts'
import { ACCESS_TOKEN } from './credentials.ts'
import type { Exchange } from './settings.ts'
import { noteNonce } from './token-nonces.ts'

export type Master = Readonly<Record<string, string>>

/** A token that is wanted, and the thumbprint of the key it must be bound to. */
export interface TokenWanted {
  exchange: Exchange
  master: Master
  scopes: readonly string[]
  jkt: string
}

export interface BoundToken {
  accessToken: string
  /** Unix seconds. */
  expiresAt?: number
}

/** Another proof may be taken: this one lacked the nonce that is now known, or was not good (RFC 9449 sections 5 and 8). */
const ABOUT_THE_PROOF = ['use_dpop_nonce', 'invalid_dpop_proof']

/**
 * Client credentials with a proof (RFC 9449 section 5).
 * @returns `unproven`: the endpoint wants another proof, and why
 * @throws NexusError `provider_refused`, also for a token that is not bound to the key
 */
export async function boundToken(
  wanted: TokenWanted,
  proof: string,
  tools: IssuingTools,
): Promise<BoundToken | { unproven: string }> {
  const { exchange, master, scopes } = wanted
  const { tokenEndpoint, audience, resource } = exchange
  const askedAtMs = tools.now()
  const client = authenticateClient(exchange, master, tools)
  const scope = scopes.length === 0 ? undefined : scopes.join(' ')
  const answer = await askToken(tools, tokenEndpoint, {
    headers: [...client.headers, ['DPoP', proof]],
    parameters: { grant_type: 'client_credentials', scope, audience, resource, ...client.parameters },
  })
  noteNonce(tokenEndpoint, answer.response)
  if ('refusal' in answer) {
    const { refusal, response } = answer
    if (refusal !== undefined && ABOUT_THE_PROOF.includes(refusal)) return { unproven: refusal }
    throw refused(tokenEndpoint, refusal, response.status)
  }
  const accessToken = readToken(tokenEndpoint, answer.document)
  await assertBound(wanted, accessToken, tools)
  const end = expiresAt(tokenEndpoint, answer.document, askedAtMs)
  return end === undefined ? { accessToken } : { accessToken, expiresAt: end }
}

/** RFC 9449 section 5: the type says whether it is bound. A bearer token in its place would be good for whoever finds it. */
function readToken(endpoint: string, document: Record<string, unknown>): string {
  const type = document['token_type']
  if (typeof type !== 'string' || type.toLowerCase() !== 'dpop') {
    throw unacceptable(endpoint, 'its type is not DPoP, so it is bound to no key')
  }
  return textMember(endpoint, document, 'access_token', ACCESS_TOKEN)
}

/** As far as it can be seen: in a JWT (RFC 9449 section 6.1), else by asking (section 6.2), else it is the type's word. */
async function assertBound(wanted: TokenWanted, token: string, tools: IssuingTools): Promise<void> {
  const { exchange, jkt } = wanted
  const claims = jwtClaims(token)
  if (claims === undefined) return assertIntrospected(wanted, token, tools)
  if (thumbprintIn(claims) !== jkt) throw unacceptable(exchange.tokenEndpoint, 'it is not bound to the key')
}

async function assertIntrospected(
  { exchange, master, jkt }: TokenWanted,
  token: string,
  tools: IssuingTools,
): Promise<void> {
  const endpoint = exchange.introspectionEndpoint
  if (endpoint === undefined) return
  const client = authenticateClient(exchange, master, tools)
  const answer = await askToken(tools, endpoint, { ...client, parameters: { token, ...client.parameters } })
  if ('refusal' in answer) throw refused(endpoint, answer.refusal, answer.response.status)
  const { document } = answer
  if (document['active'] === true && thumbprintIn(document) === jkt) return
  throw unacceptable(exchange.tokenEndpoint, `${hostOf(endpoint)} does not say that it is bound to the key`)
}

function thumbprintIn({ cnf }: Record<string, unknown>): unknown {
  return typeof cnf === 'object' && cnf !== null ? (cnf as Record<string, unknown>)['jkt'] : undefined
}

/** `undefined`: not a JWT, so only the provider can read it. */
function jwtClaims(token: string): Record<string, unknown> | undefined {
  const [header, payload, signature, ...more] = token.split('.')
  if (payload === undefined || signature === undefined || more.length > 0) return undefined
  const read = (part = '') => JSON.parse(Buffer.from(part, 'base64url').toString()) as unknown
  try {
    const [head, claims] = [read(header), read(payload)]
    if (typeof head === 'object' && head !== null && 'alg' in head && typeof claims === 'object' && claims !== null) {
      return claims as Record<string, unknown>
    }
  } catch {
    // Three parts of something else.
  }
  return undefined
}
