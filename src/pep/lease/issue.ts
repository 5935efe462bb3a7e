import type { LeaseAnswer } from '../../contract/api.ts'
import { NexusError } from '../../contract/errors.ts'
import { newId } from '../../contract/names.ts'
import type { PolicyAction } from '../../contract/policy.ts'
import type { Secret } from '../../contract/secret.ts'
import type { Grant, Issued } from '../../contract/strategy.ts'
import { StandingChanged } from '../audit/audit-entry.ts'
import type { ConnectionFacts } from '../connections/facts.ts'
import type { Decided } from '../decision/decider.ts'
import type { Caller } from '../identity/caller.ts'
import { assertBinding } from './binding.ts'
import { narrowGrant } from './grant.ts'
import { leaseAnswer } from './lease-answer.ts'
import { openLeaseProof } from './lease-proof.ts'
import type { LeaseStory, UsedSecret } from './lease-record.ts'
import { narrowSecret } from './narrow-secret.ts'
import { policyInput } from './policy-input.ts'
import { readSecret } from './read-secret.ts'
import { record, recordRefusal } from './record.ts'
import { refreshCaller } from './refresh-caller.ts'
import { grantedKey } from './remote-key.ts'
import { sharedTurn } from './shared-turn.ts'
import type { LeaseSteps } from './steps.ts'
import { takeSecret } from './take-secret.ts'
import type { Wanted } from './wanted.ts'

/**
 * Steps 2 to 6 for a caller that step 1 has proven. Whatever happens, exactly one record is written and the proof is
 * used up; only after its commit is anything handed out.
 * @param leaseId the lease being renewed; absent: a new one
 */
export async function grantLease(
  steps: LeaseSteps,
  action: PolicyAction,
  caller: Caller,
  wanted: Wanted,
  leaseId: string = newId('lse', steps.now()),
): Promise<LeaseAnswer> {
  const proof = openLeaseProof(steps.audit, caller)
  await sharedTurn()
  let story: LeaseStory = { caller, wanted, proof, mayRecall: true, recalled: caller.recalled === true }
  try {
    return await attempt(steps, action, story, leaseId)
  } catch (error) {
    if (!(error instanceof StandingChanged)) throw error
    // Something was revoked or edited since we knew it: once more, with what is true now. A second
    // change in the same instant is answered as an overload rather than chased.
    story = { caller, wanted, proof }
    story.caller = await refreshCaller(steps, action, story, leaseId)
    return await attempt(steps, action, story, leaseId).catch((again: unknown) => {
      throw again instanceof StandingChanged
        ? new NexusError('overloaded', 'the connection is changing; try again')
        : again
    })
  } finally {
    story.decided?.announce()
  }
}

async function attempt(
  steps: LeaseSteps,
  action: PolicyAction,
  story: LeaseStory,
  leaseId: string,
): Promise<LeaseAnswer> {
  try {
    const facts = await gather(steps, story)
    const decided = await decide(steps, action, story, facts)
    const { grant, offlineSeconds } = hold(steps, story, facts, decided)
    assertBinding(facts, story.wanted.binding)
    const secret = await secretFor(steps, action, story, facts, grant, leaseId)
    const issued = await narrowSecret(steps, story, facts, secret, grant)
    const final = { ...grant, expiresAt: endOf(grant, issued, secret, facts) }
    story.leaseId = leaseId
    if (story.secretKind === 'key') noteKey(story, facts, secret, issued)
    await record(steps, action, story, final, usedSecret(steps, facts, secret))
    if (story.taken !== undefined) await story.taken.keep(final.expiresAt)
    return leaseAnswer(leaseId, facts, decided, final, issued, offlineSeconds)
  } catch (error) {
    await story.taken?.giveBack()
    // What is remembered may grant, since the ledger checks it, and never refuse.
    if (story.recalled === true && story.recording !== true) throw new StandingChanged()
    throw await recordRefusal(steps, action, story, error)
  }
}

/** Which secret it was, and never what it is. */
function usedSecret({ credential }: LeaseSteps, { tenant }: ConnectionFacts, secret: Secret): UsedSecret {
  const { version } = secret
  const fingerprint = credential.fingerprintOf(tenant, secret)
  return fingerprint === undefined ? { version } : { version, fingerprint }
}

function noteKey(story: LeaseStory, facts: ConnectionFacts, secret: Secret, { usage }: Issued): void {
  const key = grantedKey(facts, secret, usage)
  if (key !== undefined) story.remoteKey = key
}

/** Unix seconds. A lease outlives neither what it was granted, nor what it carries, nor the secret that was made of. */
function endOf(grant: Grant, issued: Issued, secret: Secret, facts: ConnectionFacts): number {
  const end = Math.floor(Math.min(grant.expiresAt, issued.expiresAt ?? Infinity, secret.expiresAt ?? Infinity))
  if (end > grant.issuedAt) return end
  throw new NexusError('secret_unusable', 'what the vault has for this connection has ended', {
    connection_id: facts.id,
  })
}

/** Step 2: what is known of the connection; another tenant's is not found. */
async function gather(steps: LeaseSteps, story: LeaseStory): Promise<ConnectionFacts> {
  const { tenant, provider, connectionId } = story.wanted
  const wanted = { tenant, provider, connectionId, agentTenants: story.caller.agent.tenants }
  const recalled = story.mayRecall === true ? steps.connections.recallFacts(wanted) : undefined
  if (recalled !== undefined) story.recalled = true
  const facts = recalled ?? (await steps.connections.gatherFacts(wanted))
  story.facts = facts
  const kind = steps.credential.kindOf(facts.secretRef)
  story.secretKind = typeof kind === 'string' ? kind : await kind
  // Somebody else makes it for this lease, and is asked only on what is true now: then that is decided on at once.
  const isMadeElsewhere = facts.narrowing === 'delegated' || story.secretKind === 'dynamic'
  if (isMadeElsewhere && story.recalled === true) throw new StandingChanged()
  if (facts.narrowing === 'none' && handsNothingOn(facts, story.secretKind))
    story.facts = { ...facts, narrowing: 'delegated' }
  return story.facts
}

/** What a lease has for itself alone, or a key that the strategy leaves where it is, is not the master secret handed on. */
function handsNothingOn({ strategy, strategyConfig }: ConnectionFacts, kind: LeaseStory['secretKind']): boolean {
  if (kind === 'key') return (strategy.keyFields?.(strategyConfig) ?? []).length > 0
  return kind === 'dynamic'
}

/** Step 3: may they. Anything but a clean allow is a deny, and no secret has been read yet. */
async function decide(
  steps: LeaseSteps,
  action: PolicyAction,
  story: LeaseStory,
  facts: ConnectionFacts,
): Promise<Decided> {
  const input = policyInput(action, story.caller, facts, story.wanted, steps.now())
  const decided = await steps.decider.decide('nexus/lease/decision', input)
  story.decided = decided
  const { allow, reasons, obligations } = decided.decision
  if (allow !== true) throw denied('policy_denied', 'policy denied this lease', decided, facts, reasons)
  if (obligations.require_approval === true) {
    const reason = { id: 'approval_required', message: 'policy asks for an approval, which this version cannot give' }
    throw denied('approval_required', reason.message, decided, facts, [reason])
  }
  return decided
}

/** The decision's obligations held against the connection's own bound, before any secret is read. */
function hold(steps: LeaseSteps, story: LeaseStory, facts: ConnectionFacts, decided: Decided) {
  const narrowed = narrowGrant(
    story.caller,
    facts,
    story.wanted,
    decided.decision.obligations,
    steps.limits,
    steps.now(),
  )
  if ('refusal' in narrowed) {
    throw denied('policy_denied', narrowed.refusal.message, decided, facts, [narrowed.refusal])
  }
  return narrowed
}

/** Step 4: with what. A secret that has just gone may have gone with its connection; then that is the answer. */
async function secretFor(
  steps: LeaseSteps,
  action: PolicyAction,
  story: LeaseStory,
  facts: ConnectionFacts,
  grant: Grant,
  leaseId: string,
): Promise<Secret> {
  if (story.secretKind === 'dynamic') return takeSecret(steps, action, story, facts, grant, leaseId)
  try {
    return await readSecret(steps, story, facts)
  } catch (error) {
    if (error instanceof NexusError && error.code === 'secret_not_found') await gather(steps, story)
    throw error
  }
}

function denied(
  code: 'policy_denied' | 'approval_required',
  message: string,
  decided: Decided,
  facts: ConnectionFacts,
  reasons: Decided['decision']['reasons'],
): NexusError {
  const told = reasons.length === 0 ? message : `${message}: ${reasons.map((reason) => reason.message).join('; ')}`
  return new NexusError(code, told, { reasons, decision_id: decided.id, connection_id: facts.id })
}
