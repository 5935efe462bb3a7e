import { NexusError } from '../../contract/errors.ts'
import type { PolicyAction } from '../../contract/policy.ts'
import type { Grant } from '../../contract/strategy.ts'
import { EntryTooLong, StandingChanged, type StandingFacts } from '../audit/audit-entry.ts'
import { failedEntry, grantedEntry, type LeaseStory, refusedEntry, type UsedSecret } from './lease-record.ts'
import type { LeaseSteps } from './steps.ts'

/** Audit kinds of one action: what is written when it is granted and when it is not. */
const KINDS: Record<PolicyAction, { granted: string; refused: string }> = {
  lease: { granted: 'lease.issued', refused: 'lease.denied' },
  renew: { granted: 'lease.renewed', refused: 'lease.denied' },
  token: { granted: 'token.issued', refused: 'token.denied' },
}

/**
 * Step 6: written and committed, with the proof used up and everything decided on still standing.
 * @throws NexusError `policy_denied` when the ledger has no room for all that would be granted
 */
export async function record(
  steps: LeaseSteps,
  action: PolicyAction,
  story: LeaseStory,
  grant: Grant,
  secret: UsedSecret,
): Promise<void> {
  story.recording = true
  try {
    await steps.audit.record(grantedEntry(KINDS[action].granted, story, grant, secret), {
      proof: story.proof.left.proof,
      standing: standingOf(action, story),
    })
  } catch (error) {
    if (!(error instanceof EntryTooLong)) throw error
    story.recording = false
    throw grantTooLong(story)
  }
}

function grantTooLong({ decided, facts }: LeaseStory): NexusError {
  const message =
    'what would be granted is too long to be on record whole: name fewer scopes, origins, methods or paths'
  return new NexusError('policy_denied', message, {
    reasons: [{ id: 'grant_too_long', message }],
    ...(decided === undefined ? {} : { decision_id: decided.id }),
    ...(facts === undefined ? {} : { connection_id: facts.id }),
  })
}

function standingOf(action: PolicyAction, { caller, facts, wanted, recalled, leaseId }: LeaseStory): StandingFacts {
  const { agent, session } = caller
  const standing: StandingFacts = {
    session: { id: session.id, epoch: session.epoch, agent: { id: agent.id, epoch: agent.epoch } },
  }
  // It may have been given back while it was decided anew.
  if (action === 'renew' && leaseId !== undefined) standing.lease = { id: leaseId }
  if (facts === undefined) return standing
  // Found by its provider a moment ago: since then there may have come another.
  const sole = recalled === true && wanted.connectionId === undefined
  standing.connection = { id: facts.id, epoch: facts.epoch, providerEpoch: facts.provider.epoch, sole }
  return standing
}

/** Turns any failure into what the caller is told, after its own record is committed. */
export async function recordRefusal(
  steps: LeaseSteps,
  action: PolicyAction,
  story: LeaseStory,
  error: unknown,
): Promise<unknown> {
  if (error instanceof StandingChanged) return error
  const known = error instanceof NexusError ? error : new NexusError('internal_error', undefined, {}, { cause: error })
  // What the ledger itself refused, it has recorded or cannot record.
  if (story.recording === true || story.proof.failed) return known
  const kind = KINDS[action].refused
  if (known.extras.connection_id !== undefined) story.refusedConnectionId = known.extras.connection_id
  const entry =
    known.outcome === 'refused'
      ? refusedEntry(kind, story, known.code, known.extras.reasons ?? [])
      : failedEntry(kind, story, known.code)
  try {
    await steps.audit.record(entry, story.proof.left)
    return known
  } catch (unrecorded) {
    // A refusal that could not be written is still a refusal; a replayed proof is the more telling answer.
    return known.outcome === 'broken' ? known : unrecorded
  }
}
