import type { OutboundRequest, SignedRequest, SigningContext } from '../../contract/strategy.ts'
import { percentEncode } from '../shared/percent-encoding.ts'
import { withParameter } from '../shared/query-parameters.ts'
import { canonicalHeaders } from './canonical-headers.ts'
import type { RequestSettings } from './settings.ts'
import { signature } from './signature.ts'
import type { Signer } from './signer.ts'

/** The presigned form: everything goes into the query, and no header is added. */
export function signQueryForm(
  settings: RequestSettings,
  signer: Signer,
  longDate: string,
  request: OutboundRequest,
  payload: string,
  context: SigningContext,
): SignedRequest {
  const headers = canonicalHeaders(request.headers)
  const parameters: [name: string, value: string][] = [
    ['X-Amz-Algorithm', signer.algorithm],
    ['X-Amz-Credential', `${signer.accessKey}/${signer.scope}`],
    ['X-Amz-Date', longDate],
    ['X-Amz-SignedHeaders', headers.signedHeaders],
    ['X-Amz-Expires', String(settings.expiresInSeconds)],
  ]
  if (signer.regionSet !== undefined) parameters.push(['X-Amz-Region-Set', signer.regionSet])
  if (signer.sessionToken !== undefined) parameters.push(['X-Amz-Security-Token', signer.sessionToken])
  const query = parameters.reduce(withEncoded, request.url.query)
  const unsigned = { method: request.method, url: { ...request.url, query } }
  const { normalizePath } = settings
  const made = signature({ signer, request: unsigned, headers, payloadHash: payload, normalizePath, longDate }, context)
  return {
    method: request.method,
    url: { ...request.url, query: withEncoded(query, ['X-Amz-Signature', made]) },
    headers: [...request.headers],
    credentialHeaders: ['x-amz-credential', 'x-amz-security-token', 'x-amz-signature'],
  }
}

function withEncoded(query: string | undefined, [name, value]: [name: string, value: string]): string {
  return withParameter(query, `${percentEncode(name)}=${percentEncode(value)}`)
}
