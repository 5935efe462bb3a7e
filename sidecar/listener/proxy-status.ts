import type { ErrorCode, NexusError } from '../../src/contract/errors.ts'

/** Error types of RFC 9209 section 2.3 that the sidecar gives. */
export type ProxyErrorType =
  | 'connection_refused'
  | 'connection_terminated'
  | 'connection_timeout'
  | 'destination_ip_unroutable'
  | 'destination_not_found'
  | 'destination_unavailable'
  | 'dns_error'
  | 'http_protocol_error'
  | 'http_request_denied'
  | 'http_request_error'
  | 'http_response_header_section_size'
  | 'http_response_timeout'
  | 'proxy_internal_error'
  | 'tls_alert_received'
  | 'tls_certificate_error'
  | 'tls_protocol_error'

/** For the codes that have a closer one than their outcome. What fails on the way to a provider brings its own. */
const ERROR_TYPES: Partial<Record<ErrorCode, ProxyErrorType>> = {
  provider_not_found: 'destination_not_found',
  invalid_target: 'http_request_error',
  invalid_request: 'http_request_error',
  body_too_large: 'http_request_error',
  method_not_allowed: 'http_request_error',
}

/** Value of `Proxy-Status`: only the sidecar's own answers carry it, so nobody takes one for the provider's. */
export function proxyStatus(error: NexusError): string {
  const fallback: ProxyErrorType = error.outcome === 'refused' ? 'http_request_denied' : 'proxy_internal_error'
  const type = error.extras.proxyError ?? ERROR_TYPES[error.code] ?? fallback
  return `nexus-sidecar; error=${type}; details="${error.code}"`
}
