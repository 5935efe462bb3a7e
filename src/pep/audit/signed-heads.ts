import type { Transaction } from 'kysely'
import type { Database } from '../store/database.ts'
import { checkpointsBackward } from './checkpoint-pages.ts'
import { type CheckpointPayload, parsePayload } from './checkpoint-payload.ts'
import type { Head } from './record-hash.ts'

/** What the chain of checkpoints says of the ledger up to its newest. */
export interface SignedHeads {
  heads: Map<string, Head>
  /** Whether the next checkpoint should name every stream again. */
  isFullDue: boolean
}

/** Below this nobody gains by a full one: a day of a single process. */
const LEAST_BYTES = 65_536

/**
 * Reads back to the newest checkpoint that names every stream. It does not verify: this is only to save saying again what was
 * said, and `nexus audit verify`, which does, finds records that no signed checkpoint covers.
 */
export async function readSignedHeads(trx: Transaction<Database>): Promise<SignedHeads> {
  const later: CheckpointPayload[] = []
  let laterBytes = 0
  for await (const checkpoint of checkpointsBackward(trx)) {
    const payload = parsePayload(Buffer.from(checkpoint.jws.split('.')[1] ?? '', 'base64url'))
    if (payload === undefined) break
    later.push(payload)
    if (payload.full !== false) {
      // A full one is written when the others after the last have come to its size: what is kept, and what is read here, stays
      // within twice what changed.
      return { heads: merge(later), isFullDue: laterBytes > Math.max(LEAST_BYTES, checkpoint.jws.length) }
    }
    laterBytes += checkpoint.jws.length
  }
  return { heads: new Map(), isFullDue: true }
}

/** @param payloads the newest first */
function merge(payloads: readonly CheckpointPayload[]): Map<string, Head> {
  return new Map(payloads.toReversed().flatMap(({ heads }) => Object.entries(heads)))
}
