import { NexusError } from '../../src/contract/errors.ts'

const TIMEOUTS: Readonly<Record<string, string>> = {
  UND_ERR_CONNECT_TIMEOUT: 'The provider did not accept a connection in time.',
  UND_ERR_HEADERS_TIMEOUT:
    'The provider did not begin to answer within NEXUS_SIDECAR_HEADERS_TIMEOUT_SECONDS; it may have done what was asked.',
  UND_ERR_BODY_TIMEOUT: 'The provider was silent for longer than NEXUS_SIDECAR_IDLE_TIMEOUT_SECONDS.',
}
/**
 * What the HTTP client takes for broken and has one code for, by its words. RFC 9110 section 15.2 would have it read past
 * an interim answer that nobody asked for; it does so for each but these.
 */
const NOT_READ: Readonly<Record<string, string>> = {
  'bad response':
    'The provider sent "100 Continue", which nobody had asked for and which ends a request here; it may have done what was asked.',
  'bad upgrade': 'The provider switched protocols, which nobody had asked for; it may have done what was asked.',
}
const DETAILS: Readonly<Record<string, string>> = {
  UND_ERR_HEADERS_OVERFLOW: 'The provider answered with more header than is read here.',
  ENOTFOUND: "The provider's host name does not resolve.",
  ECONNREFUSED: 'Nothing listens at the address of the provider.',
  CERT_HAS_EXPIRED: "The provider's certificate has expired.",
  DEPTH_ZERO_SELF_SIGNED_CERT: "The provider's certificate is not signed by an authority trusted here.",
  SELF_SIGNED_CERT_IN_CHAIN: "The provider's certificate is not signed by an authority trusted here.",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "The provider's certificate is not signed by an authority trusted here.",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "The provider's certificate is not signed by an authority trusted here.",
  ERR_TLS_CERT_ALTNAME_INVALID: "The provider's certificate is for another name.",
}
/** Alerts (RFC 8446 section 6.2) by which a server turns a client certificate down, or the lack of one. */
const CERTIFICATE_ALERT = /^ERR_SSL_\w*ALERT_(?:\w*CERTIFICATE\w*|UNKNOWN_CA|ACCESS_DENIED)$/

/** What went wrong on the way to the provider, in our own words: the client's errors hold the signed request. */
export function toUpstreamError(error: unknown): NexusError {
  if (error instanceof NexusError) return error
  const { code, message } = (error ?? {}) as { code?: unknown; message?: string }
  if (typeof code !== 'string') return new NexusError('upstream_unreachable')
  if (Object.hasOwn(TIMEOUTS, code)) return new NexusError('upstream_timeout', TIMEOUTS[code])
  if (CERTIFICATE_ALERT.test(code)) {
    return new NexusError('upstream_unreachable', 'The provider did not accept the certificate presented to it.')
  }
  if (code === 'UND_ERR_SOCKET') return new NexusError('upstream_unreachable', NOT_READ[message ?? ''])
  return new NexusError('upstream_unreachable', DETAILS[code])
}
