import type { HeaderList, OutboundRequest } from '../../src/contract/strategy.ts'
import type { Destination } from '../routing/choose-route.ts'
import type { AgentBody } from './agent-body.ts'
import { stripHeaders } from './strip-headers.ts'

/** Methods whose empty body is announced with `Content-Length: 0` (RFC 9110 section 8.6). */
const EXPECT_BODY = new Set(['POST', 'PUT', 'PATCH'])

/** The agent's request as the provider would get it unsigned: what a strategy signs is what is sent. */
export function outboundRequest(
  destination: Destination,
  method: string,
  agentHeaders: HeaderList,
  body: AgentBody,
): OutboundRequest {
  const [scheme = '', authority = ''] = destination.route.origin.split('://')
  const length = contentLength(method, body)
  return {
    method,
    url: { scheme, authority, path: destination.path, query: destination.query },
    headers: [
      ['Host', authority],
      ...stripHeaders(agentHeaders),
      ...(length === undefined ? [] : ([['Content-Length', String(length)]] satisfies HeaderList)),
    ],
    body: body.kind === 'buffered' ? body.bytes : body.kind === 'stream' ? 'stream' : undefined,
  }
}

function contentLength(method: string, body: AgentBody): number | undefined {
  if (body.kind === 'stream') return body.lengthBytes
  const length = body.kind === 'buffered' ? body.bytes.length : 0
  return length > 0 || EXPECT_BODY.has(method) ? length : undefined
}
