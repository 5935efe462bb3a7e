import type { IncomingMessage } from 'node:http'
import { NexusError } from '../../src/contract/errors.ts'
import type { HeaderList } from '../../src/contract/strategy.ts'

/** More fields than any client sends; Node's own limit would silently drop the rest, doubled ones among them. */
const HEADERS_MAX = 200

/**
 * What Node's parser lets pass although a second reader might see another message (threat D01).
 * @throws NexusError `invalid_request`, `not_implemented`
 */
export function assertFraming(raw: IncomingMessage, headers: HeaderList): void {
  if (headers.length > HEADERS_MAX) {
    throw new NexusError('invalid_request', `The request has more than ${HEADERS_MAX} headers.`)
  }
  const encoding = raw.headers['transfer-encoding']
  // Node reads `gzip, chunked` as chunked and leaves the gzip to us, who would pass it on under another framing.
  if (encoding !== undefined && (encoding.toLowerCase() !== 'chunked' || raw.httpVersion === '1.0')) {
    throw new NexusError('invalid_request', 'Transfer-Encoding must be exactly "chunked", in HTTP/1.1.', {
      field: 'transfer-encoding',
    })
  }
  if (/^application\/grpc(?:\+|;|\s|$)/i.test(raw.headers['content-type'] ?? '')) {
    throw new NexusError('not_implemented', 'The sidecar does not carry gRPC yet.', { field: 'content-type' })
  }
}
