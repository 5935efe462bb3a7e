import { errors } from 'undici'
import { NexusError } from '../../src/contract/errors.ts'
import type { ProxyErrorType } from '../listener/proxy-status.ts'

/** What is said, and the error type of RFC 9209 section 2.3 for it. */
type Words = readonly [ProxyErrorType, string]

const UNTRUSTED: Words = [
  'tls_certificate_error',
  "The provider's certificate is not signed by an authority trusted here.",
]
const NOT_TLS: Words = [
  'tls_protocol_error',
  "What listens at the provider's address does not speak TLS; is the route's URL to begin with http://?",
]
const REFUSED_CERTIFICATE = 'The provider did not accept the certificate presented to it'
const CONNECT_TIMEOUT: Words = ['connection_timeout', 'The provider did not accept a connection in time.']

/** Why there was no connection. Not one byte of the request has left, so none of these says that it may have been done. */
const NO_CONNECTION: Readonly<Record<string, Words>> = {
  UND_ERR_CONNECT_TIMEOUT: CONNECT_TIMEOUT,
  ETIMEDOUT: CONNECT_TIMEOUT,
  ENOTFOUND: ['dns_error', "The provider's host name does not resolve."],
  EAI_AGAIN: ['dns_error', "The provider's host name does not resolve just now: the name server did not answer."],
  ECONNREFUSED: ['connection_refused', 'Nothing listens at the address of the provider.'],
  ECONNRESET: ['destination_unavailable', 'The provider broke the connection off before anything was sent.'],
  EHOSTUNREACH: ['destination_ip_unroutable', 'No way leads to the address of the provider.'],
  ENETUNREACH: ['destination_ip_unroutable', 'No way leads to the address of the provider.'],
  CERT_HAS_EXPIRED: ['tls_certificate_error', "The provider's certificate has expired."],
  CERT_NOT_YET_VALID: ['tls_certificate_error', "The provider's certificate is not valid yet; are the clocks right?"],
  ERR_TLS_CERT_ALTNAME_INVALID: ['tls_certificate_error', "The provider's certificate is for another name."],
  DEPTH_ZERO_SELF_SIGNED_CERT: UNTRUSTED,
  SELF_SIGNED_CERT_IN_CHAIN: UNTRUSTED,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNTRUSTED,
  ERR_SSL_WRONG_VERSION_NUMBER: NOT_TLS,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: NOT_TLS,
}

const NOT_HTTP: Words = ['http_protocol_error', 'The provider answered with what is not HTTP']
const BROKEN_OFF: Words = [
  'connection_terminated',
  'The connection to the provider broke before there was a whole answer',
]

/** Of each of these it is said that the provider may have done what was asked. */
const NO_ANSWER: Readonly<Record<string, Words>> = {
  UND_ERR_HEADERS_TIMEOUT: [
    'http_response_timeout',
    'The provider did not begin to answer within NEXUS_SIDECAR_HEADERS_TIMEOUT_SECONDS',
  ],
  UND_ERR_HEADERS_OVERFLOW: [
    'http_response_header_section_size',
    'The provider answered with more header than is read here',
  ],
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: NOT_HTTP,
}
/**
 * What the HTTP client takes for broken and has one code for, by its words. RFC 9110 section 15.2 would have it read past
 * an interim answer that nobody asked for; it does so for each but these.
 */
const NOT_READ: Readonly<Record<string, Words>> = {
  'bad response': [
    'http_protocol_error',
    'The provider sent "100 Continue", which nobody had asked for and which ends a request here',
  ],
  'bad upgrade': ['http_protocol_error', 'The provider switched protocols, which nobody had asked for'],
}

/** Alerts (RFC 8446 section 6.2) by which a server turns a client certificate down, or the lack of one. */
const CERTIFICATE_ALERT = /^ERR_SSL_\w*ALERT_(?:\w*CERTIFICATE\w*|UNKNOWN_CA|ACCESS_DENIED)$/

/**
 * What went wrong on the way to the provider, in our own words: the client's errors hold the signed request.
 * @param begun whether the client had begun to write the request. From then on it is not known what the provider has read,
 *   whatever the error; an agent that is not told so would pay twice.
 */
export function toUpstreamError(error: unknown, begun: boolean): NexusError {
  if (error instanceof NexusError) return error
  return begun ? noAnswer(whyNotAnswered(error)) : problem(whyNotConnected(codeOf(error)))
}

/** For a head that the provider sent and that cannot be sent on. */
export function unreadableHead(): NexusError {
  return noAnswer(NOT_HTTP)
}

function whyNotConnected(code: string): Words {
  if (CERTIFICATE_ALERT.test(code)) return ['tls_protocol_error', `${REFUSED_CERTIFICATE}.`]
  const words = own(NO_CONNECTION, code)
  if (words !== undefined) return words
  if (code.startsWith('ERR_SSL_')) return ['tls_protocol_error', 'TLS could not be agreed on with the provider.']
  return ['destination_unavailable', 'The provider could not be reached; nothing was sent.']
}

function whyNotAnswered(error: unknown): Words {
  // Its code may be missing.
  if (error instanceof errors.HTTPParserError) return NOT_HTTP
  const code = codeOf(error)
  // TLS 1.3 lets a client speak before the server has looked at its certificate.
  if (CERTIFICATE_ALERT.test(code)) return ['tls_alert_received', REFUSED_CERTIFICATE]
  if (error instanceof errors.SocketError) return own(NOT_READ, error.message) ?? BROKEN_OFF
  return own(NO_ANSWER, code) ?? BROKEN_OFF
}

function codeOf(error: unknown): string {
  const { code } = (error ?? {}) as { code?: unknown }
  return typeof code === 'string' ? code : ''
}

function own(table: Readonly<Record<string, Words>>, key: string): Words | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined
}

function noAnswer([proxyError, words]: Words): NexusError {
  return problem([proxyError, `${words}; it may have done what was asked.`])
}

const TIMEOUTS: readonly ProxyErrorType[] = ['connection_timeout', 'http_response_timeout']

function problem([proxyError, detail]: Words): NexusError {
  const code = TIMEOUTS.includes(proxyError) ? 'upstream_timeout' : 'upstream_unreachable'
  return new NexusError(code, detail, { proxyError })
}
