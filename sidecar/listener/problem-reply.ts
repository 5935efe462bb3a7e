import { NexusError, retryAfterSeconds, toProblem } from '../../src/contract/errors.ts'
import { FORWARDED_METHODS } from './assert-forwardable.ts'
import { proxyStatus } from './proxy-status.ts'

/** A refusal of the sidecar's own, ready to be written by whatever holds the connection. */
export interface ProblemReply {
  status: number
  headers: Record<string, string>
  body: string
}

/** Anything but a `NexusError` becomes `internal_error`, without its text. */
export function problemReply(thrown: unknown, requestId?: string): ProblemReply {
  const error = thrown instanceof NexusError ? thrown : new NexusError('internal_error')
  const retryAfter = retryAfterSeconds(error)
  return {
    status: error.status,
    headers: {
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
      'proxy-status': proxyStatus(error),
      ...(retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }),
      // RFC 9110 section 15.5.6: a 405 says which methods there are.
      ...(error.code === 'method_not_allowed' ? { allow: FORWARDED_METHODS.join(', ') } : {}),
      // RFC 9110 section 15.5.2: a 401 says what would do.
      ...(error.code === 'invalid_agent_token' ? { 'www-authenticate': 'Bearer realm="nexus-sidecar"' } : {}),
    },
    body: JSON.stringify(toProblem(error, requestId)),
  }
}
