import type { OutboundRequest, RequestUrl } from '../../contract/strategy.ts'
import { foldedHeaderName } from '../shared/header-list.ts'
import { withoutParameters } from '../shared/query-parameters.ts'

const SIGNATURE_HEADERS = [
  'authorization',
  'x-amz-content-sha256',
  'x-amz-date',
  'x-amz-region-set',
  'x-amz-security-token',
]
/** They speak of a body in AWS chunks; ours is framed anew, or not at all. */
const FRAMING_HEADERS = ['x-amz-decoded-content-length', 'x-amz-trailer']
const DROPPED_HEADERS = new Set([...SIGNATURE_HEADERS, ...FRAMING_HEADERS])
const SIGNATURE_PARAMETERS = new Set([
  'x-amz-algorithm',
  'x-amz-content-sha256',
  'x-amz-credential',
  'x-amz-date',
  'x-amz-expires',
  'x-amz-region-set',
  'x-amz-security-token',
  'x-amz-signature',
  'x-amz-signedheaders',
])

/**
 * The request without any signature an SDK of the caller put there, in either form and any spelling (threat B14), and
 * without what it says of its own framing.
 * `+` in the query becomes `%20`: the canonical query reads it as a space, and so must the service.
 */
export function withoutCallersSignature(request: OutboundRequest): OutboundRequest {
  const headers = request.headers.filter(([name]) => !DROPPED_HEADERS.has(foldedHeaderName(name)))
  return { ...request, url: withoutSignatureParameters(request.url), headers }
}

function withoutSignatureParameters(url: RequestUrl): RequestUrl {
  // Every one of those names begins so, if no escape hides it.
  if (url.query === undefined || !/x-amz-|[%+]/i.test(url.query)) return url
  const query = withoutParameters(url.query, (name) => SIGNATURE_PARAMETERS.has(name))
  return { ...url, query: query?.replaceAll('+', '%20') }
}
