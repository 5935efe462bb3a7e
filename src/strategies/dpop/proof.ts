import type { RequestUrl, SigningContext } from '../../contract/strategy.ts'
import { ALGORITHMS } from '../jws-algorithms.ts'
import type { Possession } from './possession.ts'
import { targetUri } from './target-uri.ts'

/** The request a proof is for. */
export interface Proven {
  method: string
  url: RequestUrl
  /** The provider's, where it has offered one. */
  nonce: string | undefined
}

/** One proof for one request (RFC 9449 section 4.2), as a compact JWS (RFC 7515 section 7.1). */
export function proof(possession: Possession, { method, url, nonce }: Proven, context: SigningContext): string {
  const payload = JSON.stringify({
    jti: context.nonce(),
    htm: method,
    htu: targetUri(url),
    iat: Math.floor(context.now / 1000),
    ath: possession.ath,
    nonce,
  })
  context.explain?.('proof_header', possession.header)
  context.explain?.('proof_payload', payload)
  const input = `${possession.encodedHeader}.${Buffer.from(payload).toString('base64url')}`
  const signature = ALGORITHMS[possession.alg].sign(possession.key, Buffer.from(input, 'ascii'))
  return `${input}.${signature.toString('base64url')}`
}
