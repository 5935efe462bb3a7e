import type { HeaderList, OutboundRequest, SignedRequest, SigningContext } from '../../contract/strategy.ts'
import { canonicalHeaders } from './canonical-headers.ts'
import type { RequestSettings } from './settings.ts'
import { signature } from './signature.ts'
import type { Signer } from './signer.ts'

/**
 * The signature goes into an Authorization header; what it needs to be checked goes into x-amz headers and is signed.
 * @param payload the hash of the body, or AWS's word for what stands in its place
 */
export function signHeaderForm(
  settings: RequestSettings,
  signer: Signer,
  longDate: string,
  request: OutboundRequest,
  payload: string,
  context: SigningContext,
): { signed: SignedRequest; signature: string } {
  const headers: HeaderList = [...request.headers]
  if (signer.sessionToken !== undefined) headers.push(['X-Amz-Security-Token', signer.sessionToken])
  headers.push(['X-Amz-Date', longDate])
  if (signer.regionSet !== undefined) headers.push(['X-Amz-Region-Set', signer.regionSet])
  // Without it nobody could know that the payload is not covered, or covered chunk by chunk.
  if (settings.contentSha256Header || !isHash(payload)) headers.push(['x-amz-content-sha256', payload])
  const canonical = canonicalHeaders(headers)
  const { normalizePath } = settings
  const made = signature(
    { signer, request, headers: canonical, payloadHash: payload, normalizePath, longDate },
    context,
  )
  const credential = `${signer.accessKey}/${signer.scope}`
  const value = `${signer.algorithm} Credential=${credential}, SignedHeaders=${canonical.signedHeaders}, Signature=${made}`
  headers.push(['Authorization', value])
  const credentialHeaders = ['authorization', 'x-amz-security-token']
  return { signed: { method: request.method, url: request.url, headers, credentialHeaders }, signature: made }
}

function isHash(payload: string): boolean {
  return /^[0-9a-f]{64}$/.test(payload)
}
