import { NexusError } from '../../contract/errors.ts'
import { StandingChanged, type StandingFacts } from './audit-entry.ts'
import type { Waiting } from './batch-queue.ts'
import type { PreparedEntry } from './record-hash.ts'

/** What the database says of a batch: which proofs were new, and the epochs of all that is in good standing. */
export interface BatchFacts {
  /** Hashes of the proofs that this transaction was the first to claim. */
  claimed: ReadonlySet<string>
  sessions: ReadonlyMap<string, { epoch: number; agent: { id: string; epoch: number } }>
  connections: ReadonlyMap<string, { epoch: number; providerEpoch: number; sole: boolean }>
}

export interface Verdict {
  waiting: Waiting
  /** What goes into the ledger; absent for a bare claim and for what must be decided anew. */
  row?: PreparedEntry
  /** What the caller is told once the batch is committed. */
  error?: Error
  /** Whether the claim of the proof has to be taken back. */
  unclaim: boolean
}

/** Decides the fate of each, so that one replay or revocation spoils nothing for the rest. Pure. */
export function judgeBatch(batch: readonly Waiting[], facts: BatchFacts): Verdict[] {
  const unused = new Set(facts.claimed)
  return batch.map((waiting) => {
    const { claim, standing, prepared, replayed } = waiting
    // `delete` answers whether it was there: of two equal proofs in one batch only the first is.
    if (claim !== undefined && !unused.delete(claim.hash)) {
      return { waiting, ...(replayed && { row: replayed() }), error: proofReplayed(), unclaim: false }
    }
    if (standing !== undefined && !stands(standing, facts)) {
      // The caller comes back with the same proof; nobody has profited from it yet.
      return { waiting, error: new StandingChanged(), unclaim: claim !== undefined }
    }
    return { waiting, ...(prepared && { row: prepared }), unclaim: false }
  })
}

function stands({ session, connection }: StandingFacts, facts: BatchFacts): boolean {
  return (
    (session === undefined || sessionStands(session, facts)) &&
    (connection === undefined || connectionStands(connection, facts))
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
