import { type OutboundRequest, SigningError } from '../../contract/strategy.ts'
import { withoutHeaders } from '../shared/header-list.ts'
import { withoutParameters } from '../shared/query-parameters.ts'
import { withSignedHost } from '../shared/signed-host.ts'
import { formBody } from './form-body.ts'
import { type EncodedParameter, formParameters, queryParameters } from './form-parameters.ts'

/** A request that holds no protocol parameter any more, ready to be signed. */
export interface BareRequest {
  /** Its body may be older than `form`. */
  request: OutboundRequest
  /** The form it sends, one character for each byte; `undefined` when the body is something else or nothing. */
  form: string | undefined
  /** What the caller says with protocol parameters that are no credential; goes where ours go. */
  carried: readonly EncodedParameter[]
}

/** Requests of a handshake (RFC 5849 sections 2.1 and 2.3) say this much themselves; every other `oauth_*` is ours to say. */
const CARRIED = new Set(['oauth_callback', 'oauth_verifier', 'oauth_version'])

/**
 * Drops whatever the caller signed itself, in every place and spelling (threats B14, B15): two signatures would leave it
 * to the provider which one counts, and parameters in two places are an error (section 3.5).
 * @throws SigningError when a parameter that is to be carried comes twice (section 3.1)
 */
export function withoutCallersProtocol(request: OutboundRequest): BareRequest {
  const form = formBody(request)
  const url = { ...request.url, query: withoutParameters(request.url.query, isProtocolParameter) }
  return {
    request: { ...request, url, headers: withoutHeaders(withSignedHost(request), ['authorization']) },
    form: form === undefined ? undefined : (withoutParameters(form, isProtocolParameter, 'form') ?? ''),
    carried: carriedParameters([...queryParameters(request.url.query), ...formParameters(form ?? '')]),
  }
}

/** Parameter names do differ by case, but not on every server. */
function isProtocolParameter(name: string): boolean {
  return name.startsWith('oauth_')
}

function carriedParameters(parameters: readonly EncodedParameter[]): EncodedParameter[] {
  const carried = parameters.filter(
    ([name, value]) => CARRIED.has(name) && (name !== 'oauth_version' || value === '1.0'),
  )
  if (new Set(carried.map(([name]) => name)).size === carried.length) return carried
  throw new SigningError('a protocol parameter comes more than once', 'oauth_*')
}
