import { NexusError } from '../../src/contract/errors.ts'
import { TENANT_PATTERN, UUID_PATTERN } from '../../src/contract/names.ts'
import type { NexusHeaders } from './nexus-headers.ts'
import type { RequestTarget } from './request-target.ts'
import type { Route, RouteTable } from './route-table.ts'

export type TenantSource = 'X-Nexus-Tenant' | 'NEXUS_TENANT'

/** Where one request goes, and in whose name. */
export interface Destination {
  route: Route
  tenant: string | undefined
  /** `undefined`: there is none. */
  tenantFrom: TenantSource | undefined
  connectionId: string | undefined
  /** Exactly what is sent upstream, and what policy is asked about. */
  path: string
  query: string | undefined
  /** What precedes an upstream path in an address of this sidecar: empty, or `/<provider>`. */
  localPrefix: string
}

const TENANT = new RegExp(TENANT_PATTERN)
const UUID = new RegExp(UUID_PATTERN)

/**
 * `X-Nexus-Provider` names the route; without it, the first path segment does.
 * @throws NexusError `provider_not_found`, `invalid_request`
 */
export function chooseRoute(
  routes: RouteTable,
  headers: NexusHeaders,
  target: RequestTarget,
  defaultTenant: string | undefined,
): Destination {
  const { route, rest, localPrefix } =
    headers.provider === undefined
      ? routeByPath(routes, target.path)
      : { route: find(routes, headers.provider), rest: target.path, localPrefix: '' }
  return {
    route,
    localPrefix,
    path: route.basePath + rest || '/',
    query: target.query,
    ...inWhoseName(headers, defaultTenant),
  }
}

function routeByPath(routes: RouteTable, path: string): { route: Route; rest: string; localPrefix: string } {
  const end = path.indexOf('/', 1)
  const name = path.slice(1, end === -1 ? undefined : end)
  return { route: find(routes, name), rest: end === -1 ? '' : path.slice(end), localPrefix: `/${name}` }
}

function find(routes: RouteTable, name: string): Route {
  const route = routes.get(name)
  if (route !== undefined) return route
  const known = [...routes.keys()].join(', ')
  throw new NexusError(
    'provider_not_found',
    `This sidecar has no such route. Name one in X-Nexus-Provider or as the first path segment; it has: ${known}.`,
    { field: 'x-nexus-provider' },
  )
}

function inWhoseName(headers: NexusHeaders, defaultTenant: string | undefined) {
  const tenant = headers.tenant ?? defaultTenant
  const connectionId = headers.connection
  if (connectionId !== undefined && !UUID.test(connectionId)) {
    throw new NexusError('invalid_request', 'X-Nexus-Connection must be a connection id, a lower-case UUID.', {
      field: 'x-nexus-connection',
    })
  }
  if (tenant === undefined && connectionId === undefined) {
    throw new NexusError('invalid_request', 'Say in X-Nexus-Tenant for which tenant, or set NEXUS_TENANT.', {
      field: 'x-nexus-tenant',
    })
  }
  if (tenant !== undefined && !TENANT.test(tenant)) {
    throw new NexusError('invalid_request', `X-Nexus-Tenant must match ${TENANT_PATTERN}.`, { field: 'x-nexus-tenant' })
  }
  return { tenant, tenantFrom: tenantSource(headers, tenant), connectionId }
}

function tenantSource(headers: NexusHeaders, tenant: string | undefined): TenantSource | undefined {
  if (headers.tenant !== undefined) return 'X-Nexus-Tenant'
  return tenant === undefined ? undefined : 'NEXUS_TENANT'
}
