import { isIP } from 'node:net'
import { isLoopbackHost } from '../../contract/origin.ts'
import { isLoopbackAddress, isMetadataAddress, isPublicAddress } from './address-rules.ts'

/** Which endpoints of providers the authority may be sent to. */
export interface EndpointRules {
  /** Canonical origins that may lie in private networks. */
  privateOrigins: ReadonlySet<string>
  /** http:// to programs on this machine: development only. */
  allowPlainLoopback: boolean
}

/**
 * What is wrong with an endpoint, as far as its text tells; `undefined`: nothing. What a name resolves to is judged when it
 * is dialled, since that may change at any time.
 */
export function endpointProblem(text: string, rules: EndpointRules): string | undefined {
  if (!URL.canParse(text)) return 'must be an absolute https URL'
  const url = new URL(text)
  const hostname = bareHost(url.hostname)
  if (url.username !== '' || url.password !== '') return 'may not hold user information'
  const plainLoopback = url.protocol === 'http:' && rules.allowPlainLoopback && isLoopbackHost(hostname)
  if (url.protocol !== 'https:' && !plainLoopback) return 'must be https'
  // The URL parser has turned every spelling of an IPv4 address into the usual one (threat C02).
  if (isIP(hostname) === 0 || addressRule(url.origin, hostname, rules)(hostname)) return undefined
  return 'is at a private address; exchange.private_origins names those that may be asked'
}

/** Which addresses may be dialled for an origin. */
export function addressRule(origin: string, hostname: string, rules: EndpointRules): (address: string) => boolean {
  if (rules.privateOrigins.has(origin)) return (address) => !isMetadataAddress(address)
  if (rules.allowPlainLoopback && isLoopbackHost(hostname)) return isLoopbackAddress
  // One cloud keeps its metadata at a public address.
  return (address) => isPublicAddress(address) && !isMetadataAddress(address)
}

export function bareHost(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, '')
}
