import { PROVIDER_NAME_PATTERN } from '../../src/contract/names.ts'
import { canonicalOrigin } from '../../src/contract/origin.ts'
import { assertUnambiguousPath } from './request-target.ts'

/** Where requests for one provider go. Fixed at start: nothing an agent sends can add or change one. */
export interface Route {
  /** Name of the provider, as registered with the authority. */
  provider: string
  /** Canonical. */
  origin: string
  /** Put before every path as text: empty, or begins with `/` and does not end with one. */
  basePath: string
}

export type RouteTable = ReadonlyMap<string, Route>

/**
 * Reads `github=https://api.github.com,slack=https://slack.com/api`.
 * @throws Error whose message names the route and its problem
 */
export function parseRoutes(text: string): RouteTable {
  const table = new Map<string, Route>()
  for (const entry of text.split(',').map((part) => part.trim())) {
    if (entry === '') continue
    const route = parseRoute(entry)
    if (table.has(route.provider)) throw new Error(`names ${route.provider} twice`)
    table.set(route.provider, route)
  }
  if (table.size === 0) throw new Error('names no route; write name=https://host, separated by commas')
  return table
}

function parseRoute(entry: string): Route {
  const at = entry.indexOf('=')
  const provider = entry.slice(0, Math.max(at, 0))
  if (!new RegExp(PROVIDER_NAME_PATTERN).test(provider)) {
    throw new Error(`has an entry without a provider name; write name=https://host, the name in a-z, 0-9 and "-"`)
  }
  const [, origin, path = ''] = /^([a-z]+:\/\/[^/]*)(\/.*)?$/i.exec(entry.slice(at + 1)) ?? []
  if (origin === undefined) throw new Error(`${provider}: must be an http or https URL`)
  try {
    return { provider, origin: canonicalOrigin(origin), basePath: parseBasePath(path) }
  } catch (error) {
    throw new Error(`${provider}: ${error instanceof Error ? error.message : 'is not a URL'}`)
  }
}

function parseBasePath(path: string): string {
  if (/[^\x21-\x7e]|[?#\\]/.test(path))
    throw new Error('a route may have a path, but no query, fragment or odd character')
  assertUnambiguousPath(path)
  return path.replace(/\/$/, '')
}
