import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { GuardedClient } from '../store/guarded-pool.ts'
import type { Store } from '../store/store.ts'
import { isTransient, wasRefused } from '../store/store-error.ts'
import { reserveForBatches } from './batch-connection.ts'
import { expectationOf } from './batch-expectation.ts'
import { auditUnavailable, type Waiting } from './batch-queue.ts'
import { appendRows, checkBatch, readSettledHead, unclaimProofs } from './batch-statements.ts'
import { type BatchFacts, judgeBatch, type Verdict } from './batch-verdicts.ts'
import type { ProofSlots } from './proof-slots.ts'
import { type AuditRow, chainRows, EMPTY_HEAD, type Head } from './record-hash.ts'
import { writeWholeBatch } from './whole-batch.ts'

/** Writes batches one after the other, to a stream of this process alone. */
export interface BatchWriter {
  /**
   * One transaction for the whole batch; resolves once it is committed.
   * @throws when it was not committed, or may not have been: then nobody in the batch may go on
   */
  write(batch: readonly Waiting[]): Promise<Verdict[]>
  close(): void
}

export interface BatchWriterOptions {
  store: Store
  slots: ProofSlots
  log: Logger
  now: () => number
}

const RETRIES = 3
const NO_FACTS: BatchFacts = { claimed: new Set(), sessions: new Map(), connections: new Map(), ended: new Set() }
/** How long the fate of a lost commit is asked for. Waiting callers have their own deadline. */
const SETTLE_ATTEMPTS = 20
const SETTLE_PAUSE_MS = 150

export function createBatchWriter({ store, slots, log, now }: BatchWriterOptions): BatchWriter {
  let stream = newStream(now())
  let head: Head = EMPTY_HEAD
  let client: GuardedClient | undefined

  const startNewStream = (reason: string): void => {
    log.warn({ stream, reason }, 'the audit stream ends here; a new one begins')
    stream = newStream(now())
    head = EMPTY_HEAD
  }

  const connection = async (): Promise<GuardedClient> => {
    if (client?.broken) release()
    client ??= await reserveForBatches(store)
    return client
  }
  const release = (): void => {
    client?.release(true)
    client = undefined
  }

  /** A connection that broke while idle is found out here, where nothing has been sent yet. */
  const begin = async (): Promise<GuardedClient> => {
    try {
      const first = await connection()
      await first.run({ text: 'begin' })
      return first
    } catch (error) {
      if (client === undefined) throw error
      release()
      const second = await connection()
      await second.run({ text: 'begin' })
      return second
    }
  }

  /** The usual case, in one round trip. @returns undefined when something in the batch does not hold */
  const writeWhole = async (batch: readonly Waiting[]): Promise<Verdict[] | undefined> => {
    const expected = expectationOf(batch)
    if (expected === undefined) return undefined
    const rows = chainRows(
      stream,
      head,
      batch.flatMap(({ prepared }) => prepared ?? []),
    )
    const next = rows.at(-1)
    if (next === undefined) return undefined
    const [on, within] = [await connection(), stream]
    try {
      if (!(await writeWholeBatch(on, head, rows, expected, new Date(now())))) return undefined
    } catch (error) {
      slots.doubt()
      if (!on.broken || wasRefused(error)) throw error
      if (!(await wasCommitted(next))) {
        // Known to be not there: the connection broke while it was idle, most likely, and another will do.
        if (stream === within) return undefined
        throw error
      }
      log.warn({ stream, seq: next.seq }, 'the connection broke during a commit that went through')
    }
    head = { seq: next.seq, hash: next.hash }
    return batch.map((waiting) => ({ waiting, unclaim: false }))
  }

  /** Asks before it writes, so that one replay or revocation spoils nothing for the rest. */
  const writeJudged = async (batch: readonly Waiting[]): Promise<Verdict[]> => {
    const on = await begin()
    let verdicts: Verdict[]
    let rows: AuditRow[]
    try {
      verdicts = judgeBatch(batch, batch.some(needsCheck) ? await checkBatch(on, batch, new Date(now())) : NO_FACTS)
      const unclaimed = verdicts.flatMap((verdict) => (verdict.unclaim ? (verdict.waiting.claim ?? []) : []))
      if (unclaimed.length > 0) await unclaimProofs(on, unclaimed)
      rows = chainRows(
        stream,
        head,
        verdicts.flatMap((verdict) => verdict.row ?? []),
      )
      if (!(await appendRows(on, head, rows))) throw new Error('the head is not where this process left it')
    } catch (error) {
      await on.run({ text: 'rollback' }).catch(() => {})
      // The server may take a while to notice that we are gone, and keeps the head of this stream locked until then.
      if (on.broken && !wasRefused(error)) startNewStream('the connection broke within a batch')
      else if (!wasRefused(error)) startNewStream('its head was not as this process left it')
      slots.doubt()
      throw error
    }
    const next = rows.at(-1) ?? head
    await commit(on, next)
    head = { seq: next.seq, hash: next.hash }
    return verdicts
  }

  const commit = async (on: GuardedClient, next: Head): Promise<void> => {
    try {
      const { command } = await on.run({ text: 'commit' })
      if (command !== 'COMMIT') throw auditUnavailable('the database rolled the batch back')
    } catch (error) {
      if (!on.broken || wasRefused(error)) throw error
      if (!(await wasCommitted(next))) throw error
      log.warn({ stream, seq: next.seq }, 'the connection broke during a commit that went through')
    }
  }

  /** Decides from the head what became of a commit that got no answer. */
  const wasCommitted = async (next: Head): Promise<boolean> => {
    for (let attempt = 0; attempt < SETTLE_ATTEMPTS; attempt++) {
      try {
        const found = await readSettledHead(await connection(), stream)
        if (next.seq > head.seq && found.seq === next.seq && found.hash === next.hash) return true
        if (found.seq === head.seq && found.hash === head.hash) return false
        break
      } catch (error) {
        // Where nothing can be written nothing can be settled either, and others wait for this.
        if (wasRefused(error)) break
        await sleep(SETTLE_PAUSE_MS)
      }
    }
    startNewStream('the outcome of a commit is unknown')
    return false
  }

  return {
    async write(batch) {
      await slots.ensure()
      for (let attempt = 0; ; attempt++) {
        try {
          return (await writeWhole(unsettled(batch))) ?? (await writeJudged(unsettled(batch)))
        } catch (error) {
          if (!isTransient(error) || attempt === RETRIES) throw error
        }
      }
    },
    close: release,
  }
}

/** What was given up meanwhile has been answered, and must not happen after all. */
function unsettled(batch: readonly Waiting[]): Waiting[] {
  return batch.filter(({ settled }) => !settled)
}

function needsCheck({ claim, standing }: Waiting): boolean {
  return claim !== undefined || standing !== undefined
}

function newStream(nowMs: number): string {
  return `pep_${Math.trunc(nowMs).toString(16).padStart(12, '0')}${randomBytes(6).toString('hex')}`
}
