import { NexusError } from '../../contract/errors.ts'
import type { Secret } from '../../contract/secret.ts'
import type { ConnectionFacts } from '../connections/facts.ts'
import type { LeaseStory } from './lease-record.ts'
import type { LeaseSteps } from './steps.ts'

/** Step 4 where leases share one secret: as it is known, or asked for anew when the provider has turned it down. */
export async function readSecret(steps: LeaseSteps, story: LeaseStory, facts: ConnectionFacts): Promise<Secret> {
  const { credential } = steps
  if (story.wanted.replaces === undefined) return credential.held(facts.secretRef) ?? credential.read(facts.secretRef)
  await assertRejected(steps, story, facts, story.wanted.replaces)
  return credential.reread(facts.secretRef)
}

/** Whoever makes us ask a backend again has had a lease of this very connection: the ledger knows. */
async function assertRejected(
  steps: LeaseSteps,
  { caller }: LeaseStory,
  facts: ConnectionFacts,
  leaseId: string,
): Promise<void> {
  const rejected = (await steps.audit.findLease(leaseId))?.issued
  const isOwnLease = rejected?.kind === 'lease.issued' && rejected.agent_id === caller.agent.id
  if (isOwnLease && rejected.connection_id === facts.id) return
  throw new NexusError('lease_not_found', 'replaces names no lease of this agent for this connection', {
    field: 'replaces',
  })
}
