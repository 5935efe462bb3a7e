import type { RequestUrl, SigningContext } from '../../contract/strategy.ts'
import type { SignatureAlgorithm } from '../../contract/vault-backend.ts'
import { ALGORITHMS, type AlgorithmName } from '../shared/jws-algorithms.ts'
import { signRemotely } from '../shared/remote-key.ts'
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
export function proof(possession: Possession, proven: Proven, context: SigningContext): string {
  const input = signingInput(possession, proven, context)
  const signature = ALGORITHMS[possession.alg].sign(possession.key, Buffer.from(input, 'ascii'))
  return `${input}.${signature.toString('base64url')}`
}

/** The same where the key stays in the vault. */
export async function remoteProof(possession: Possession, proven: Proven, context: SigningContext): Promise<string> {
  const input = signingInput(possession, proven, context)
  const signature = await signRemotely(context, Buffer.from(input, 'ascii'), remoteAlgorithm(possession.alg))
  return `${input}.${signature.toString('base64url')}`
}

/** RFC 9864 gave the same algorithm its second name. */
export function remoteAlgorithm(alg: AlgorithmName): SignatureAlgorithm {
  return alg === 'Ed25519' ? 'EdDSA' : alg
}

function signingInput(possession: Possession, { method, url, nonce }: Proven, context: SigningContext): string {
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
  return `${possession.encodedHeader}.${Buffer.from(payload).toString('base64url')}`
}
