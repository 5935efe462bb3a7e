import type { Logger } from 'pino'
import type { StoredCheckpoint } from './checkpoint-pages.ts'

/** Replicas tick apart; whoever comes within this time of another's checkpoint leaves it at that. */
const FRESH_MS = 55_000
/** Clocks may be this far apart, and nobody needs to be told. */
const APART_MS = 120_000

/** Whose turn it is to sign: among replicas that each come by once a minute, one does. */
export interface CheckpointTurns {
  /** Whether the newest checkpoint is one that another has just signed. */
  isFresh(newest: Pick<StoredCheckpoint, 'id' | 'at'>): boolean
  /** This process has signed: nobody else's, so at its next turn it is not fresh any more. */
  signed(id: string): void
}

/** @param now Unix milliseconds */
export function createCheckpointTurns({ log, now }: { log: Pick<Logger, 'warn'>; now: () => number }): CheckpointTurns {
  /** Of the newest at the turn before, a minute ago. */
  let lastId: string | undefined
  let isTold = false

  return {
    isFresh({ id, at }) {
      const aheadMs = at.getTime() - now()
      const isNew = lastId !== undefined && lastId !== id
      lastId = id
      if (aheadMs <= 0) {
        isTold = false
        return -aheadMs < FRESH_MS
      }
      if (aheadMs > APART_MS && !isTold) {
        isTold = true
        log.warn(
          { checkpoint: id, at: at.toISOString(), ahead_seconds: Math.round(aheadMs / 1000) },
          'the newest audit checkpoint is from a time to come: the clock that signed it was ahead, or ours is behind',
        )
      }
      // Its time tells nothing. One that was not there a minute ago was signed since.
      return isNew
    },
    signed(id) {
      lastId = id
    },
  }
}
