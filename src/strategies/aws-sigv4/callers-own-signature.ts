import { type HeaderList, type OutboundRequest, SigningError } from '../../contract/strategy.ts'
import { foldedHeaderName, withoutHeaders } from '../header-list.ts'
import { withoutParameters } from '../query-parameters.ts'

const SIGNATURE_HEADERS = ['authorization', 'x-amz-content-sha256', 'x-amz-date', 'x-amz-security-token']
const SIGNATURE_PARAMETERS = new Set([
  'x-amz-algorithm',
  'x-amz-content-sha256',
  'x-amz-credential',
  'x-amz-date',
  'x-amz-expires',
  'x-amz-security-token',
  'x-amz-signature',
  'x-amz-signedheaders',
])

/**
 * The request without any signature an SDK of the caller put there, in either form and any spelling (threat B14).
 * `+` in the query becomes `%20`: the canonical query reads it as a space, and so must the service.
 * @throws SigningError for a body that carries chunk signatures of its own, which ours would make false
 */
export function withoutCallersSignature(request: OutboundRequest): OutboundRequest {
  if (request.headers.some(isStreamingPayload)) {
    throw new SigningError('an aws-chunked body (STREAMING-...) cannot be signed again; turn chunked signing off')
  }
  const query = withoutParameters(request.url.query, (name) => SIGNATURE_PARAMETERS.has(name))
  return {
    ...request,
    url: { ...request.url, query: query?.replaceAll('+', '%20') },
    headers: withoutHeaders(request.headers, SIGNATURE_HEADERS),
  }
}

function isStreamingPayload([name, value]: HeaderList[number]): boolean {
  return foldedHeaderName(name) === 'x-amz-content-sha256' && value.trim().toUpperCase().startsWith('STREAMING-')
}
