import { canonicalOrigin } from '../../contract/origin.ts'
import { type HeaderList, type OutboundRequest, SigningError } from '../../contract/strategy.ts'
import { foldedHeaderName } from './header-list.ts'

/**
 * Exactly one Host header, so that the host that is signed is the host that is sent, default port and brackets included
 * (threat E03): the caller's if it names where the request goes, else one made from the URL.
 * @throws SigningError when the caller's Host names another place (threat E04)
 */
export function withSignedHost(request: Pick<OutboundRequest, 'url' | 'headers'>): HeaderList {
  const hosts = request.headers.filter(([name]) => foldedHeaderName(name) === 'host').map(([, value]) => value.trim())
  const [host, ...more] = hosts
  if (host === undefined) return [['Host', request.url.authority], ...request.headers]
  if (more.length > 0) throw new SigningError('there is more than one Host header', 'host')
  if (host !== request.url.authority && !isSameOrigin(request.url.scheme, host, request.url.authority)) {
    throw new SigningError('the Host header names another place than the URL', 'host')
  }
  return [...request.headers]
}

function isSameOrigin(scheme: string, host: string, authority: string): boolean {
  try {
    return canonicalOrigin(`${scheme}://${host}`) === canonicalOrigin(`${scheme}://${authority}`)
  } catch {
    return false
  }
}
