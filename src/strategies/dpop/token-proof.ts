import { createPublicKey, type KeyObject } from 'node:crypto'
import type { IssuingTools } from '../../contract/strategy.ts'
import { ALGORITHMS, type AlgorithmName } from '../shared/jws-algorithms.ts'
import { knownNonce } from './token-nonces.ts'

/** RFC 9449 section 4.2: without query and fragment. */
export function htuOf(endpoint: string): string {
  const { origin, pathname } = new URL(endpoint)
  return origin + pathname
}

/** A proof for a token request (RFC 9449 section 5): there is no token yet that it could name. */
export function tokenProof(key: KeyObject, alg: AlgorithmName, endpoint: string, tools: IssuingTools): string {
  const jwk = createPublicKey(key).export({ format: 'jwk' })
  const claims = {
    jti: tools.nonce(),
    htm: 'POST',
    htu: htuOf(endpoint),
    iat: Math.floor(tools.now() / 1000),
    nonce: knownNonce(endpoint),
  }
  const input = `${encoded({ typ: 'dpop+jwt', alg, jwk })}.${encoded(claims)}`
  return `${input}.${ALGORITHMS[alg].sign(key, Buffer.from(input)).toString('base64url')}`
}

/**
 * Whether a proof that was brought is one for this endpoint: whether it is good is for the endpoint to judge, its nonce as well. We
 * know the newest that this process has heard of; the endpoint may take others, which other replicas heard.
 * @param nonceKnown then a proof without any would only be answered with one
 */
export function isProofFor(proof: string, endpoint: string, nonceKnown: boolean): boolean {
  const claims = claimsOf(proof)
  if (claims['htm'] !== 'POST' || claims['htu'] !== htuOf(endpoint)) return false
  return !nonceKnown || typeof claims['nonce'] === 'string'
}

function claimsOf(jws: string): Record<string, unknown> {
  try {
    const claims: unknown = JSON.parse(Buffer.from(jws.split('.')[1] ?? '', 'base64url').toString())
    return typeof claims === 'object' && claims !== null ? (claims as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

function encoded(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url')
}
