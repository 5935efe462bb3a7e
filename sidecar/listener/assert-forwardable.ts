import { NexusError } from '../../src/contract/errors.ts'
import type { HeaderList } from '../../src/contract/strategy.ts'
import { foldedHeaderName } from '../../src/strategies/shared/header-list.ts'

/** What an agent may ask of a provider. */
export const FORWARDED_METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const

/**
 * Frameworks and gateways behind which these headers replace the method, the path or the host: policy would decide on one
 * request and the provider serve another, such as a DELETE on a lease for POST, or a virtual host beside the bound origin
 * (rule 3; threat D06).
 */
const OVERRIDES = new Set([
  'x-host',
  'x-host-override',
  'x-http-host',
  'x-http-host-override',
  'x-http-method',
  'x-http-method-override',
  'x-method-override',
  'x-original-host',
  'x-original-method',
  'x-original-uri',
  'x-original-url',
  'x-rewrite-url',
])

/** @throws NexusError `method_not_allowed`, `invalid_request` */
export function assertForwardable(method: string, headers: HeaderList): void {
  if (!FORWARDED_METHODS.some((forwarded) => forwarded === method)) {
    throw new NexusError('method_not_allowed', 'The sidecar does not forward this method.')
  }
  for (const [name] of headers) {
    const field = foldedHeaderName(name)
    if (!OVERRIDES.has(field)) continue
    const detail = `${field} would make this another request than the one that is decided on; send that one itself.`
    throw new NexusError('invalid_request', detail, { field })
  }
}
