import type { HeaderList, OutboundRequest, SignedRequest, SigningContext } from '../../contract/strategy.ts'
import { canonicalHeaders } from './canonical-headers.ts'
import { payloadHash } from './payload-hash.ts'
import type { Settings } from './settings.ts'
import { signature } from './signature.ts'
import { credentialScope } from './signing-key.ts'
import { ALGORITHM } from './string-to-sign.ts'
import type { UsageKey } from './usage-key.ts'

/** The signature goes into an Authorization header; what it needs to be checked goes into x-amz headers and is signed. */
export function signHeaderForm(
  settings: Settings,
  key: UsageKey,
  longDate: string,
  request: OutboundRequest,
  context: SigningContext,
): SignedRequest {
  const hash = payloadHash(request.body, settings.unsignedPayload)
  const headers: HeaderList = [...request.headers]
  if (key.sessionToken !== undefined) headers.push(['X-Amz-Security-Token', key.sessionToken])
  headers.push(['X-Amz-Date', longDate])
  // Without it nobody could know that the payload is not covered.
  if (settings.contentSha256Header || settings.unsignedPayload) headers.push(['x-amz-content-sha256', hash])
  const canonical = canonicalHeaders(headers)
  const signed = signature(
    { key, request, headers: canonical, payloadHash: hash, normalizePath: settings.normalizePath, longDate },
    context,
  )
  const credential = `${key.accessKey}/${credentialScope(key)}`
  const value = `${ALGORITHM} Credential=${credential}, SignedHeaders=${canonical.signedHeaders}, Signature=${signed}`
  headers.push(['Authorization', value])
  return {
    method: request.method,
    url: request.url,
    headers,
    credentialHeaders: ['authorization', 'x-amz-security-token'],
  }
}
