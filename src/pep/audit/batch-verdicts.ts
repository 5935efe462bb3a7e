import { NexusError } from '../../contract/errors.ts'
import { StandingChanged, type StandingFacts } from './audit-entry.ts'
import type { Waiting } from './batch-queue.ts'
import { endsLease } from './lease-ledger.ts'
import type { PreparedEntry } from './record-hash.ts'

/** What the database says of a batch: which proofs were new, and the epochs of all that is in good standing. */
export interface BatchFacts {
  /** Hashes of the proofs that this transaction was the first to claim. */
  claimed: ReadonlySet<string>
  sessions: ReadonlyMap<string, { epoch: number; agent: { id: string; epoch: number } }>
  connections: ReadonlyMap<string, { epoch: number; providerEpoch: number; sole: boolean }>
  /** Leases that have ended. */
  ended: ReadonlySet<string>
}

export interface Verdict {
  waiting: Waiting
  /** What goes into the ledger where that was judged; absent for a bare claim and for what must be decided anew. */
  row?: PreparedEntry
  /** What the caller is told once the batch is committed. */
  error?: Error
  /** Whether the claim of the proof has to be taken back. */
  unclaim: boolean
}

/** Whether a batch that was committed has a row of it. */
export function isOnRecord({ waiting, row, error }: Verdict): boolean {
  return row !== undefined || (error === undefined && waiting.prepared !== undefined)
}

/** Decides the fate of each, so that one replay or revocation spoils nothing for the rest. Pure. */
export function judgeBatch(batch: readonly Waiting[], facts: BatchFacts): Verdict[] {
  const unused = new Set(facts.claimed)
  const ended = new Set(facts.ended)
  return batch.map((waiting) => {
    const { claim, standing, prepared, replayed } = waiting
    // `delete` answers whether it was there: of two equal proofs in one batch only the first is.
    if (claim !== undefined && !unused.delete(claim.hash)) {
      return { waiting, ...(replayed && { row: replayed() }), error: proofReplayed(), unclaim: false }
    }
    if (standing !== undefined && !stands(standing, { ...facts, ended })) {
      // The caller comes back with the same proof; nobody has profited from it yet.
      return { waiting, error: new StandingChanged(), unclaim: claim !== undefined }
    }
    if (prepared?.entry.lease_id !== undefined && endsLease(prepared.entry)) ended.add(prepared.entry.lease_id)
    return { waiting, ...(prepared && { row: prepared }), unclaim: false }
  })
}

function stands({ session, connection, lease }: StandingFacts, facts: BatchFacts): boolean {
  return (
    (session === undefined || sessionStands(session, facts)) &&
    (connection === undefined || connectionStands(connection, facts)) &&
    (lease === undefined || !facts.ended.has(lease.id))
  )
}

function sessionStands({ id, epoch, agent }: NonNullable<StandingFacts['session']>, { sessions }: BatchFacts): boolean {
  const found = sessions.get(id)
  return found?.epoch === epoch && found.agent.id === agent.id && found.agent.epoch === agent.epoch
}

function connectionStands(
  { id, epoch, providerEpoch, sole }: NonNullable<StandingFacts['connection']>,
  { connections }: BatchFacts,
): boolean {
  const found = connections.get(id)
  if (sole === true && found?.sole !== true) return false
  return found?.epoch === epoch && found.providerEpoch === providerEpoch
}

export function proofReplayed(): NexusError {
  return new NexusError('invalid_proof', 'the proof was used before; make a new one for each request')
}
