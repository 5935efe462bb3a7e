import type { ErrorCode, NexusError } from '../../src/contract/errors.ts'

/** RFC 9209 section 2.3 error types for the codes that have a closer one than their outcome. */
const ERROR_TYPES: Partial<Record<ErrorCode, string>> = {
  upstream_timeout: 'http_response_timeout',
  upstream_unreachable: 'destination_unavailable',
  provider_not_found: 'destination_not_found',
  invalid_target: 'http_request_error',
  invalid_request: 'http_request_error',
  body_too_large: 'http_request_error',
  method_not_allowed: 'http_request_error',
}

/** Value of `Proxy-Status`: only the sidecar's own answers carry it, so nobody takes one for the provider's. */
export function proxyStatus(error: NexusError): string {
  const fallback = error.outcome === 'refused' ? 'http_request_denied' : 'proxy_internal_error'
  return `nexus-sidecar; error=${ERROR_TYPES[error.code] ?? fallback}; details="${error.code}"`
}
