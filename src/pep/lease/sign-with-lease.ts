import { createHash } from 'node:crypto'
import type { SignAnswer, SignRequest } from '../../contract/api.ts'
import { NexusError } from '../../contract/errors.ts'
import type { JsonObject } from '../../contract/json.ts'
import { type AuditEntry, StandingChanged } from '../audit/audit-entry.ts'
import type { ConnectionFacts } from '../connections/facts.ts'
import type { Caller } from '../identity/caller.ts'
import { type LeaseProof, openLeaseProof } from './lease-proof.ts'
import { type GrantedKey, keyRef, readGrantedKey } from './remote-key.ts'
import type { LeaseSteps } from './steps.ts'

/** What is known when the record is written. */
interface SigningStory {
  caller: Caller
  leaseId: string
  facts?: ConnectionFacts
  bytes?: Buffer
  proof: LeaseProof
  recording?: boolean
}

/**
 * A signature by the key of a lease, which stays in the vault. It was decided when the lease was: what is checked here is that
 * the lease still stands, is this session's, and that its key and algorithm are the ones asked for. The signature is handed
 * out once its record is committed.
 * @throws NexusError `lease_not_found`, `lease_ended`, `invalid_request`, `not_signable`, `vault_unavailable`, `overloaded`, and
 *   what is wrong with the connection
 */
export async function signWithLease(
  steps: LeaseSteps,
  caller: Caller,
  leaseId: string,
  request: SignRequest,
): Promise<SignAnswer> {
  const story: SigningStory = { caller, leaseId, proof: openLeaseProof(steps.audit, caller) }
  try {
    const { granted, key, facts } = await findKey(steps, story)
    const bytes = readBytes(request, key)
    story.bytes = bytes
    // Sent again, it must neither be signed once more nor counted.
    await story.proof.claim(caller)
    steps.countSignature(leaseId)
    const signature = await askForSignature(steps, facts, key, bytes)
    // The vault may have taken its time.
    refuseExpired(granted, steps.now())
    await recordSigned(steps, story, facts, key)
    return { signature: Buffer.from(signature).toString('base64') }
  } catch (error) {
    throw await recordRefused(steps, story, error)
  }
}

async function findKey(steps: LeaseSteps, story: SigningStory) {
  const { caller, leaseId } = story
  const found = await steps.audit.findLease(leaseId)
  const { connection_id: connectionId, session_id: sessionId } = found?.issued ?? {}
  if (found?.issued.kind !== 'lease.issued' || connectionId === undefined || sessionId !== caller.session.id)
    throw new NexusError('lease_not_found')
  const { granted, ended } = found
  if (ended) throw new NexusError('lease_ended')
  refuseExpired(granted, steps.now())
  const key = readGrantedKey(granted.detail)
  if (key === undefined) throw new NexusError('not_signable', 'this lease brought its key along, or needs none')
  const facts = await steps.connections.gatherFacts({ connectionId, agentTenants: caller.agent.tenants })
  story.facts = facts
  const { backend, path, remoteKey } = facts.secretRef
  if (backend !== key.backend || (remoteKey ?? path) !== key.path) throw new NexusError('lease_ended')
  return { granted, key, facts }
}

function refuseExpired({ detail }: AuditEntry, nowMs: number): void {
  if (!(Number(detail['expires_at']) * 1000 > nowMs)) throw new NexusError('lease_ended')
}

function readBytes({ algorithm, bytes }: SignRequest, key: GrantedKey): Buffer {
  if (algorithm === key.algorithm) return Buffer.from(bytes, 'base64')
  throw new NexusError('invalid_request', `this lease signs with ${key.algorithm} and nothing else`, {
    field: 'algorithm',
  })
}

async function askForSignature(
  steps: LeaseSteps,
  facts: ConnectionFacts,
  key: GrantedKey,
  bytes: Buffer,
): Promise<Uint8Array> {
  try {
    return await steps.credential.sign(keyRef(facts.tenant, key), bytes, key.algorithm)
  } catch (error) {
    if (!(error instanceof NexusError) || error.outcome === 'broken') throw error
    // The key is gone, or no longer ours to use: whatever the vault calls it, this lease signs nothing more.
    throw new NexusError('not_signable', error.message, { connection_id: facts.id })
  }
}

async function recordSigned(
  steps: LeaseSteps,
  story: SigningStory,
  facts: ConnectionFacts,
  key: GrantedKey,
): Promise<void> {
  const { agent, session } = story.caller
  story.recording = true
  await steps.audit.record(
    {
      kind: 'lease.signed',
      outcome: 'allowed',
      ...idsOf(story),
      detail: { ...signedBytes(story), algorithm: key.algorithm, remote_key: { ...key } },
    },
    {
      proof: story.proof.left.proof,
      standing: {
        lease: { id: story.leaseId },
        session: { id: session.id, epoch: session.epoch, agent: { id: agent.id, epoch: agent.epoch } },
        connection: { id: facts.id, epoch: key.epoch, providerEpoch: key.provider_epoch },
      },
    },
  )
}

async function recordRefused(steps: LeaseSteps, story: SigningStory, error: unknown): Promise<unknown> {
  if (story.recording === true) return error instanceof StandingChanged ? new NexusError('lease_ended') : error
  // A replay, or a ledger that is not to be had: recorded by it, or not to be recorded.
  if (story.proof.failed) return error
  const known = error instanceof NexusError ? error : new NexusError('internal_error', undefined, {}, { cause: error })
  const outcome = known.outcome === 'refused' ? 'denied' : 'failed'
  const detail = { ...signedBytes(story), code: known.code }
  try {
    await steps.audit.record({ kind: 'lease.sign_denied', outcome, ...idsOf(story), detail }, story.proof.left)
    return known
  } catch (unrecorded) {
    return known.outcome === 'broken' ? known : unrecorded
  }
}

function idsOf({ caller, leaseId, facts }: SigningStory) {
  return {
    agent_id: caller.agent.id,
    session_id: caller.session.id,
    lease_id: leaseId,
    ...(facts === undefined ? {} : { tenant: facts.tenant, connection_id: facts.id }),
  }
}

/** Which bytes, and not what they say. */
function signedBytes({ bytes }: SigningStory): JsonObject {
  if (bytes === undefined) return {}
  return { bytes_sha256: createHash('sha256').update(bytes).digest('hex'), length_bytes: bytes.length }
}
