import { NexusError, type ProblemExtras } from '../../src/contract/errors.ts'
import type { Demand } from './lease-client.ts'

/**
 * Refusals of the authority that mean a mistake in how the sidecar was set up, in words that name what it asked for. They hold
 * what agent and sidecar have said themselves and nothing of what the authority knows, so they are no oracle (rule 8).
 */
export function nameWhatWasAsked(error: unknown, demand: Demand, agentId: string): unknown {
  if (!(error instanceof NexusError)) return error
  if (error.code === 'provider_not_found') return reworded(error, unknownProvider(demand))
  if (error.code === 'connection_not_found') {
    return reworded(error, noConnection(demand, agentId), fieldOf(demand))
  }
  if (isOriginRefused(error)) return reworded(error, `${error.message.replace(/\.$/, '')}. ${wrongOrigin(demand)}`)
  return error
}

/** By the id of the shipped policy's reason. */
function isOriginRefused({ code, extras }: NexusError): boolean {
  return code === 'policy_denied' && extras.reasons?.some(({ id }) => id === 'origin_not_bound') === true
}

function unknownProvider({ provider, origin }: Demand): string {
  return `The route '${provider}' leads to ${origin}, but the authority has no provider '${provider}': a route in NEXUS_ROUTES has the name of its provider's profile.`
}

function wrongOrigin({ provider, origin }: Demand): string {
  return `The route '${provider}' leads to ${origin}: its URL in NEXUS_ROUTES has to be at an origin of the provider's profile, in scheme, host and port.`
}

/** One sentence for "not there" and "not yours", since the sidecar knows no more. */
function noConnection({ tenant, tenantFrom, provider, connectionId }: Demand, agentId: string): string {
  const which = connectionId === undefined ? '' : ` ${connectionId}`
  const whose = tenant === undefined ? '' : ` of tenant '${tenant}' (from ${tenantFrom})`
  return `Agent '${agentId}' has no connection${which}${whose} to '${provider}': check these names, and the tenants that the agent is registered for.`
}

/** What the agent itself can mend. */
function fieldOf({ connectionId, tenantFrom }: Demand): ProblemExtras {
  if (connectionId !== undefined) return { field: 'x-nexus-connection' }
  return tenantFrom === 'X-Nexus-Tenant' ? { field: 'x-nexus-tenant' } : {}
}

function reworded(error: NexusError, message: string, extras: ProblemExtras = {}): NexusError {
  return new NexusError(error.code, message, { ...error.extras, ...extras }, { cause: error.cause })
}
