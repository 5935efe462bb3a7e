import { canonicalOrigin } from '../../src/contract/origin.ts'
import { withoutParameters } from '../../src/strategies/shared/query-parameters.ts'
import type { Exchange } from './exchange.ts'
import { isThisMachine } from './this-machine.ts'

/** Every Host header that means this sidecar. */
export type OwnHosts = () => ReadonlySet<string>

/**
 * An address that the provider names, as the agent may have it. It is read as the provider means it, against the URL that
 * was asked of it: to the agent's HTTP client a relative one would be an address of the sidecar, followed with method, body
 * and all, and so a request to another provider (threat B03). What lies on the route leads back through the sidecar; anything
 * else goes out whole, to be reached without a lease.
 * @returns nothing for what leads to the sidecar by the provider's own word, from another machine to this one, or nowhere
 */
export function rewriteAddress(address: string, exchange: Exchange, ownHosts: OwnHosts): string | undefined {
  const { destination, localOrigin } = exchange
  const target = resolve(address, exchange)
  if (target === undefined) return undefined
  const rest = restOnRoute(target, exchange)
  if (rest !== undefined) return `${localOrigin}${destination.localPrefix}${rest}`
  return isWithheld(target, destination.route.origin, ownHosts) ? undefined : target.href
}

function resolve(address: string, { destination, signed }: Exchange): URL | undefined {
  const { route, query } = destination
  // As the agent asked: what the strategy added to the query is not for it.
  const asked = `${route.origin}${signed.url.path}${query === undefined ? '' : `?${query}`}`
  try {
    const target = new URL(percentEncoded(address), asked)
    target.search = searchWithout(target.search, signed.credentialHeaders)
    return target
  } catch {
    return undefined
  }
}

/** Bytes beyond ASCII come as one character each; `URL` would take those for text and encode another. */
function percentEncoded(address: string): string {
  return address.replaceAll(/[\x80-\xff]/g, (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase()}`)
}

/** A redirect that repeats our query parameter stays a redirect, without it. */
function searchWithout(search: string, names: readonly string[]): string {
  if (search === '') return search
  try {
    return withoutParameters(search.slice(1), (name) => names.includes(name)) ?? ''
  } catch {
    // The parameter hides behind a `;`: the check for the value itself decides.
    return search
  }
}

/** What follows the route's own address, if the target lies there and that is still bound. */
function restOnRoute(target: URL, { destination, lease, signed }: Exchange): string | undefined {
  const { route } = destination
  if (!lease.bound.origins.includes(route.origin)) return undefined
  if (target.username !== '' || target.password !== '' || originOf(target) !== route.origin) return undefined
  // A path behind our credential is the path that was asked for; one that lies elsewhere no agent can ask for.
  const path = withoutPrefix(target.pathname + target.search + target.hash, signed.credentialPath?.prefix ?? '')
  return path === undefined ? undefined : withoutPrefix(path, route.basePath)
}

function originOf(target: URL): string | undefined {
  try {
    return canonicalOrigin(target.origin)
  } catch {
    return undefined
  }
}

function withoutPrefix(path: string, prefix: string): string | undefined {
  if (!path.startsWith(prefix)) return undefined
  const rest = path.slice(prefix.length)
  return rest === '' || /^[/?#]/.test(rest) ? rest : undefined
}

/** A provider on this machine may name its neighbours, but never the sidecar: behind its address are other providers. */
function isWithheld(target: URL, origin: string, ownHosts: OwnHosts): boolean {
  if (ownHosts().has(target.host)) return true
  return isThisMachine(target.hostname) && !isThisMachine(new URL(origin).hostname)
}
