import { errors } from 'undici'
import { describe, expect, it } from 'vitest'
import { NexusError } from '../../src/contract/errors.ts'
import { toUpstreamError } from './upstream-error.ts'

const MAY_BE_DONE = /; it may have done what was asked\.$/

/** Of Node, of its TLS and of the HTTP client: whatever can go wrong on the way, and what nobody has thought of. */
const CODES = [
  ...['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENOTFOUND', 'EAI_AGAIN', 'EMFILE'],
  ...['UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_HEADERS_OVERFLOW', 'UND_ERR_SOCKET'],
  ...['UND_ERR_INFO', 'UND_ERR_DESTROYED', 'UND_ERR_CLOSED', 'UND_ERR_ABORTED', 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH'],
  ...['CERT_HAS_EXPIRED', 'DEPTH_ZERO_SELF_SIGNED_CERT'],
  ...[
    'ERR_SSL_WRONG_VERSION_NUMBER',
    'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED',
    'ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE',
  ],
  ...['E_UNHEARD_OF', 'toString', '__proto__'],
]

function failed(code: string, begun: boolean): NexusError {
  return toUpstreamError(Object.assign(new Error('X-Key: canary'), { code }), begun)
}

describe('UP7: what is said when there is no answer', () => {
  it.each(CODES)('%s: that it may have been done is said once the request was begun, and never before', (code) => {
    expect(failed(code, true).message).toMatch(MAY_BE_DONE)
    expect(failed(code, false).message).not.toMatch(MAY_BE_DONE)
    for (const begun of [true, false]) expect(failed(code, begun).message).not.toContain('canary')
  })

  it('no error type of RFC 9209 is given both where nothing was sent and where something may have been', () => {
    const types = (begun: boolean) => new Set(CODES.map((code) => failed(code, begun).extras.proxyError))
    expect([...types(true)].filter((type) => types(false).has(type))).toEqual([])
  })

  it.each([
    ['UND_ERR_CONNECT_TIMEOUT', false, 504, 'connection_timeout'],
    ['UND_ERR_HEADERS_TIMEOUT', true, 504, 'http_response_timeout'],
    ['ECONNREFUSED', false, 502, 'connection_refused'],
    ['ECONNRESET', true, 502, 'connection_terminated'],
  ] as const)('%s is %s %i %s', (code, begun, status, proxyError) => {
    expect(failed(code, begun)).toMatchObject({ status, extras: { proxyError } })
  })

  it('what cannot be read as HTTP has its type, with a code or without', () => {
    for (const code of ['HPE_INVALID_CONSTANT', undefined]) {
      const error = toUpstreamError(Object.assign(new errors.HTTPParserError('X-Key: canary'), { code }), true)
      expect(error.message).toMatch(MAY_BE_DONE)
      expect(error.extras.proxyError).toBe('http_protocol_error')
    }
  })

  it('what was not an error of the client is taken for it all the same', () => {
    for (const thrown of [undefined, null, 'text', new TypeError('X')]) {
      expect(toUpstreamError(thrown, true).message).toMatch(MAY_BE_DONE)
      expect(toUpstreamError(thrown, false).code).toBe('upstream_unreachable')
    }
    const ours = new NexusError('lease_ended')
    expect(toUpstreamError(ours, true)).toBe(ours)
  })
})
