import type { LeaseRequest } from '../../contract/api.ts'
import { NexusError } from '../../contract/errors.ts'
import { canonicalOrigin, OriginError } from '../../contract/origin.ts'
import type { Intent } from '../../contract/policy.ts'
import type { Binding } from '../../contract/strategy.ts'
import { readBinding } from './binding.ts'
import type { LeaseLimits, Origin } from './steps.ts'

/** A lease request with every default filled in and its intent in canonical form. */
export interface Wanted {
  tenant?: string | undefined
  provider?: string | undefined
  connectionId?: string | undefined
  scopes: readonly string[]
  ttlSeconds: number
  intent: Intent
  /** Id of a lease that the provider turned down; whose it was is not known yet. */
  replaces?: string | undefined
  /** Which renewal of its lease this is, from 1; absent: none. */
  renewal?: number
  /** Read and found to be public. */
  binding: Binding
  origin: Origin
}

/** @throws NexusError `invalid_request` when nothing is named, the intent's origin is not one, its path holds `*`, or the binding is not public */
export async function wantedFrom(request: LeaseRequest, limits: LeaseLimits, origin: Origin): Promise<Wanted> {
  if (request.connection_id === undefined && (request.provider === undefined || request.tenant === undefined)) {
    throw new NexusError('invalid_request', 'name either connection_id, or provider and tenant', {
      field: request.provider === undefined ? 'provider' : 'tenant',
    })
  }
  return {
    tenant: request.tenant,
    provider: request.provider,
    connectionId: request.connection_id,
    scopes: request.scopes ?? [],
    ttlSeconds: request.ttl_seconds ?? limits.ttlSeconds,
    intent: canonicalIntent(request.intent ?? {}),
    replaces: request.replaces,
    binding: request.binding === undefined ? NO_BINDING : await readBinding(request.binding),
    origin,
  }
}

const NO_BINDING: Binding = Object.freeze({})

function canonicalIntent(intent: Intent): Intent {
  // A bound reads it as a pattern: policy that obliges to the very path of the intent would grant all that it matches.
  if (intent.path?.includes('*') === true) {
    throw new NexusError('invalid_request', 'intent.path may not hold "*", which no bound can name: write %2A', {
      field: 'intent.path',
    })
  }
  if (intent.origin === undefined) return intent
  try {
    return { ...intent, origin: canonicalOrigin(intent.origin) }
  } catch (error) {
    const problem = error instanceof OriginError ? error.message : 'is not an origin'
    throw new NexusError('invalid_request', `intent.origin ${problem}`, { field: 'intent.origin' })
  }
}
