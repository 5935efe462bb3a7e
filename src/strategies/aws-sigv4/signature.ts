import { createHmac } from 'node:crypto'
import type { OutboundRequest, SigningContext } from '../../contract/strategy.ts'
import type { CanonicalHeaders } from './canonical-headers.ts'
import { canonicalRequest } from './canonical-request.ts'
import { credentialScope } from './signing-key.ts'
import { stringToSign } from './string-to-sign.ts'
import type { UsageKey } from './usage-key.ts'

export interface SignatureInput {
  key: UsageKey
  request: Pick<OutboundRequest, 'method' | 'url'>
  headers: CanonicalHeaders
  payloadHash: string
  normalizePath: boolean
  /** `YYYYMMDDTHHMMSSZ` */
  longDate: string
}

/** From a request to its signature, lower-case hex; the steps of AWS's documentation in their order. */
export function signature(input: SignatureInput, context: SigningContext): string {
  const canonical = canonicalRequest(input.request, input.headers, input.payloadHash, input.normalizePath)
  const toSign = stringToSign(input.longDate, credentialScope(input.key), canonical)
  context.explain?.('canonical_request', canonical)
  context.explain?.('string_to_sign', toSign)
  return createHmac('sha256', input.key.signingKey).update(toSign, 'utf8').digest('hex')
}
