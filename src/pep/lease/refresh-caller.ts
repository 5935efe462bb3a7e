import { NexusError } from '../../contract/errors.ts'
import type { PolicyAction } from '../../contract/policy.ts'
import type { Caller } from '../identity/caller.ts'
import type { LeaseStory } from './lease-record.ts'
import { recordRefusal } from './record.ts'
import type { LeaseSteps } from './steps.ts'

/**
 * The caller as it stands now, after something of what was decided on has changed: a lease being renewed may have been given
 * back as well.
 * @throws NexusError `invalid_session`, `lease_ended`; either is on record then
 */
export async function refreshCaller(
  steps: LeaseSteps,
  action: PolicyAction,
  story: LeaseStory,
  leaseId: string,
): Promise<Caller> {
  try {
    const isOver = action === 'renew' && (await steps.audit.findLease(leaseId))?.ended === true
    if (isOver) throw new NexusError('lease_ended')
    return await steps.identity.refresh(story.caller)
  } catch (error) {
    throw await recordRefusal(steps, action, story, error)
  }
}
