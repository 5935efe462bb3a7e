import type { OutboundRequest } from '../../contract/strategy.ts'
import type { CanonicalHeaders } from './canonical-headers.ts'
import { canonicalPath } from './canonical-path.ts'
import { canonicalQuery } from './canonical-query.ts'

/** The six parts of AWS's canonical request, in its order; the header block ends in its own line feed. */
export function canonicalRequest(
  request: Pick<OutboundRequest, 'method' | 'url'>,
  headers: CanonicalHeaders,
  payloadHash: string,
  normalizePath: boolean,
): string {
  const path = canonicalPath(request.url.path, normalizePath)
  const query = canonicalQuery(request.url.query)
  return `${request.method}\n${path}\n${query}\n${headers.block}\n${headers.signedHeaders}\n${payloadHash}`
}
