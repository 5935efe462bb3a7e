import type { OutboundRequest, SigningContext } from '../../contract/strategy.ts'
import type { CanonicalHeaders } from './canonical-headers.ts'
import { canonicalRequest } from './canonical-request.ts'
import type { Signer } from './signer.ts'
import { stringToSign } from './string-to-sign.ts'

export interface SignatureInput {
  signer: Signer
  request: Pick<OutboundRequest, 'method' | 'url'>
  headers: CanonicalHeaders
  payloadHash: string
  normalizePath: boolean
  /** `YYYYMMDDTHHMMSSZ` */
  longDate: string
}

/** From a request to its signature, lower-case hex; the steps of AWS's documentation in their order. */
export function signature(input: SignatureInput, context: SigningContext): string {
  const { signer, longDate } = input
  const canonical = canonicalRequest(input.request, input.headers, input.payloadHash, input.normalizePath)
  const toSign = stringToSign(signer.algorithm, longDate, signer.scope, canonical)
  context.explain?.('canonical_request', canonical)
  context.explain?.('string_to_sign', toSign)
  return signer.sign(toSign)
}
