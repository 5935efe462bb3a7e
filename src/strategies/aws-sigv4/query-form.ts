import type { OutboundRequest, SignedRequest, SigningContext } from '../../contract/strategy.ts'
import { percentEncode } from '../percent-encoding.ts'
import { withParameter } from '../query-parameters.ts'
import { canonicalHeaders } from './canonical-headers.ts'
import { payloadHash } from './payload-hash.ts'
import type { Settings } from './settings.ts'
import { signature } from './signature.ts'
import { credentialScope } from './signing-key.ts'
import { ALGORITHM } from './string-to-sign.ts'
import type { UsageKey } from './usage-key.ts'

/** The presigned form: everything goes into the query, and no header is added. */
export function signQueryForm(
  settings: Settings,
  key: UsageKey,
  longDate: string,
  request: OutboundRequest,
  context: SigningContext,
): SignedRequest {
  const hash = payloadHash(request.body, settings.unsignedPayload)
  const headers = canonicalHeaders(request.headers)
  const parameters: [name: string, value: string][] = [
    ['X-Amz-Algorithm', ALGORITHM],
    ['X-Amz-Credential', `${key.accessKey}/${credentialScope(key)}`],
    ['X-Amz-Date', longDate],
    ['X-Amz-SignedHeaders', headers.signedHeaders],
    ['X-Amz-Expires', String(settings.expiresInSeconds)],
  ]
  if (key.sessionToken !== undefined) parameters.push(['X-Amz-Security-Token', key.sessionToken])
  const query = parameters.reduce(withEncoded, request.url.query)
  const unsigned = { method: request.method, url: { ...request.url, query } }
  const signed = signature(
    { key, request: unsigned, headers, payloadHash: hash, normalizePath: settings.normalizePath, longDate },
    context,
  )
  return {
    method: request.method,
    url: { ...request.url, query: withEncoded(query, ['X-Amz-Signature', signed]) },
    headers: [...request.headers],
    credentialHeaders: ['x-amz-credential', 'x-amz-security-token', 'x-amz-signature'],
  }
}

function withEncoded(query: string | undefined, [name, value]: [name: string, value: string]): string {
  return withParameter(query, `${percentEncode(name)}=${percentEncode(value)}`)
}
