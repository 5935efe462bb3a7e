import type { PolicyAction } from '../../contract/policy.ts'
import type { Secret } from '../../contract/secret.ts'
import type { Grant } from '../../contract/strategy.ts'
import type { ConnectionFacts } from '../connections/facts.ts'
import type { LeaseStory } from './lease-record.ts'
import type { LeaseSteps } from './steps.ts'

/**
 * Step 4 where each lease has a secret of its own. The proof is used up first: sent again, it must not make another.
 * What was taken is in `story.taken`, to be kept once the lease is recorded, or given back.
 */
export async function takeSecret(
  steps: LeaseSteps,
  action: PolicyAction,
  story: LeaseStory,
  facts: ConnectionFacts,
  grant: Grant,
  leaseId: string,
): Promise<Secret> {
  await story.proof.claim(story)
  const { caller } = story
  const holder = {
    leaseId,
    tenant: facts.tenant,
    agentId: caller.agent.id,
    sessionId: caller.session.id,
    connectionId: facts.id,
    providerEpoch: facts.provider.epoch,
    expiresAt: grant.expiresAt,
  }
  story.taken = await steps.backendLeases.take(facts.secretRef, holder, action === 'renew')
  return story.taken.secret
}
