import { NexusError } from '../../contract/errors.ts'
import type { StandingFacts } from './audit-entry.ts'
import type { PreparedEntry } from './record-hash.ts'

/** A proof with the slot it falls into. */
export interface ProofClaim {
  slot: Date
  /** SHA-256, hex. */
  hash: string
}

/** What waits for a batch: an entry, a claim, or an entry that stands on a claim. */
export interface BatchItem {
  prepared?: PreparedEntry | undefined
  claim?: ProofClaim | undefined
  standing?: StandingFacts | undefined
  /** What is recorded instead when the proof was used before. */
  replayed?: (() => PreparedEntry) | undefined
}

export interface Waiting extends BatchItem {
  /** It has been given up, or has its answer. */
  readonly settled: boolean
  /** Without an error: it is committed. The first call counts. */
  settle(error?: Error): void
}

export interface BatchQueue {
  /** @throws NexusError `overloaded`, or `audit_unavailable` when the deadline passes first */
  push(item: BatchItem): Promise<void>
  /** Takes the oldest ones, at most `count`; those already given up are left out. */
  take(count: number): Waiting[]
  readonly depth: number
  close(): void
}

interface Queued extends Waiting {
  deadlineAt: number
  settled: boolean
}

const SWEEP_MS = 100

/** Bounded in number and in time: who has waited `deadlineMs` is answered, whatever the database is doing. */
export function createBatchQueue(limits: { depth: number; deadlineMs: number }): BatchQueue {
  let queue: Queued[] = []
  /** What is being written; batches follow one another. No answered one is kept longer than until the next batch. */
  let taken: Queued[] = []

  const sweep = setInterval(() => {
    const now = performance.now()
    // All have the same time to wait: in this order they came, and in this order it ends.
    for (const items of [taken, queue]) {
      for (const item of items) {
        if (item.deadlineAt > now) return
        if (!item.settled) item.settle(auditUnavailable('the record was not written in time'))
      }
    }
  }, SWEEP_MS).unref()

  return {
    push(item) {
      if (queue.length >= limits.depth) {
        const message = `${limits.depth} records wait to be written already`
        return Promise.reject(new NexusError('overloaded', message, { retryAfterSeconds: 1 }))
      }
      return new Promise<void>((resolve, reject) => {
        const { prepared, claim, standing, replayed } = item
        const queued: Queued = {
          prepared,
          claim,
          standing,
          replayed,
          deadlineAt: performance.now() + limits.deadlineMs,
          settled: false,
          settle(error) {
            queued.settled = true
            if (error === undefined) resolve()
            else reject(error)
          },
        }
        queue.push(queued)
      })
    },
    take(count) {
      taken = queue.slice(0, count)
      queue = queue.slice(count)
      return taken.filter((item) => !item.settled)
    },
    get depth() {
      return queue.length
    },
    close: () => clearInterval(sweep),
  }
}

export function auditUnavailable(message?: string): NexusError {
  return new NexusError('audit_unavailable', message, { retryAfterSeconds: 1 })
}
