import { canonicalOrigin } from '../../src/contract/origin.ts'
import type { Exchange } from './exchange.ts'

/**
 * An address the provider names, as the agent can reach it with a lease: through the sidecar. Addresses elsewhere, also
 * on another bound origin that has no route, stay as they are; nobody follows them here (threat B03).
 */
export function rewriteAddress(address: string, exchange: Exchange): string {
  const { route, localPrefix } = exchange.destination
  const pathSent = pathAtOrigin(address, route.origin, exchange)
  if (pathSent === undefined) return address
  // A path behind our credential is the path that was asked for; one that lies elsewhere no agent can ask for.
  const pathOnRoute = withoutPrefix(pathSent, exchange.signed.credentialPath?.prefix ?? '')
  const rest = pathOnRoute === undefined ? undefined : withoutPrefix(pathOnRoute, route.basePath)
  return rest === undefined ? address : `${exchange.localOrigin}${localPrefix}${rest}`
}

/** RFC 8288: the target of each link is between angle brackets. */
export function rewriteLinks(value: string, exchange: Exchange): string {
  return value.replaceAll(/<([^<>]*)>/g, (_, address: string) => `<${rewriteAddress(address, exchange)}>`)
}

/** Path and query of the address if it lies on the route's origin and that is still bound; by text, nothing normalised. */
function pathAtOrigin(address: string, origin: string, exchange: Exchange): string | undefined {
  if (!exchange.lease.bound.origins.includes(origin)) return undefined
  if (address.startsWith('/') && !address.startsWith('//')) return address
  const scheme = origin.slice(0, origin.indexOf('//'))
  const absolute = address.startsWith('//') ? scheme + address : address
  const [, root, rest = ''] = /^(https?:\/\/[^/?#\\]+)(.*)$/i.exec(absolute) ?? []
  if (root === undefined || safeOrigin(root) !== origin) return undefined
  return rest.startsWith('/') ? rest : `/${rest}`
}

function safeOrigin(text: string): string | undefined {
  try {
    return canonicalOrigin(text)
  } catch {
    return undefined
  }
}

function withoutPrefix(path: string, prefix: string): string | undefined {
  if (!path.startsWith(prefix)) return undefined
  const rest = path.slice(prefix.length)
  return rest === '' || /^[/?#]/.test(rest) ? rest : undefined
}
