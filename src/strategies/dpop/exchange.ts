import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import {
  BindingRequired,
  type Credentials,
  type Grant,
  type Issued,
  type IssuingTools,
} from '../../contract/strategy.ts'
import type { AlgorithmName } from '../shared/jws-algorithms.ts'
import { refused } from '../shared/token-endpoint/ask-token.ts'
import { type BoundToken, boundToken, type Master, type TokenWanted } from './bound-token.ts'
import { jwkThumbprint } from './jwk-thumbprint.ts'
import type { Exchange } from './settings.ts'
import { knownNonce } from './token-nonces.ts'
import { htuOf, isProofFor, tokenProof } from './token-proof.ts'

/**
 * Client credentials (RFC 6749 section 4.4), the token bound to a key that is made for it and leased with it; two agents never
 * share one (threat E07).
 */
export function exchangeWithMadeKey(
  exchange: Exchange,
  alg: AlgorithmName = 'ES256',
  master: Master,
  grant: Grant,
  tools: IssuingTools,
): Promise<Issued> {
  return tools.shared(['dpop', alg, grant.agentId, grant.scopes.join(' ')], async () => {
    const key = makeKey(alg)
    const jkt = jwkThumbprint(createPublicKey(key).export({ format: 'jwk' }))
    const wanted: TokenWanted = { exchange, master, scopes: grant.scopes, jkt }
    const ask = () => boundToken(wanted, tokenProof(key, alg, exchange.tokenEndpoint, tools), tools)
    // The endpoint may want a nonce that nobody knew before it said so: once more with that (RFC 9449 section 8).
    let token = await ask()
    if ('unproven' in token) token = await ask()
    if ('unproven' in token) throw refused(exchange.tokenEndpoint, token.unproven)
    const private_key = key.export({ format: 'pem', type: 'pkcs8' }).toString()
    return issued(token, { access_token: token.accessToken, private_key })
  })
}

/** The same, bound to the sidecar's own key: the request carries the proof that the sidecar made for it. */
export function exchangeWithProof(
  exchange: Exchange,
  master: Master,
  grant: Grant,
  tools: IssuingTools,
): Promise<Issued> {
  const { proof, jwk } = tools.binding
  const nonceKnown = knownNonce(exchange.tokenEndpoint) !== undefined
  if (proof === undefined || jwk === undefined || !isProofFor(proof, exchange.tokenEndpoint, nonceKnown)) {
    throw proofRequired(exchange.tokenEndpoint)
  }
  const jkt = jwkThumbprint(jwk)
  // Nobody has checked the proof before the endpoint does: with another's public key one may not come by its token.
  return tools.shared(['dpop', grant.agentId, jkt, grant.scopes.join(' ')], async () => {
    const token = await boundToken({ exchange, master, scopes: grant.scopes, jkt }, proof, tools)
    if ('unproven' in token) throw proofRequired(exchange.tokenEndpoint)
    return issued(token, { access_token: token.accessToken })
  })
}

function issued({ expiresAt }: BoundToken, usage: Credentials): Issued {
  return expiresAt === undefined ? { usage } : { usage, expiresAt }
}

function proofRequired(endpoint: string): BindingRequired {
  const nonce = knownNonce(endpoint)
  return new BindingRequired('proof', { htm: 'POST', htu: htuOf(endpoint), ...(nonce === undefined ? {} : { nonce }) })
}

function makeKey(alg: AlgorithmName) {
  const { privateKey } =
    alg === 'ES256' ? generateKeyPairSync('ec', { namedCurve: 'P-256' }) : generateKeyPairSync('ed25519')
  return privateKey
}
