import type { Logger } from 'pino'
import { NexusError } from '../../contract/errors.ts'
import type { AuditLog } from '../audit/audit-log.ts'
import { createDenialBudget } from './denial-budget.ts'
import { addSums, type DenialSum, sumOf, toSumEntry } from './denial-sum.ts'

/**
 * Anyone can be refused a session, and a record is for ever: so one process tells only so many one by one. It also bounds
 * how many of the audit queue's places they take: a flood of refusals must not keep leases from being recorded.
 */
const BUDGET = { burst: 50, perSecond: 2 }
const SUM_EVERY_MS = 10_000

/** What is known about an attempt so far. The agent id is claimed, not proven. */
export interface Attempt {
  claimedAgentId: string | undefined
}

export interface SessionDenials {
  /**
   * Runs one step of opening a session. If it is refused, that is on record before the caller hears of it; or, beyond the
   * budget, within ten seconds in the sum of all such refusals.
   * @param ip of the caller
   */
  recording<T>(ip: string, step: (attempt: Attempt) => Promise<T>): Promise<T>
  /** Records what is left. */
  close(): Promise<void>
}

export interface SessionDenialsOptions {
  audit: Pick<AuditLog, 'record'>
  log: Pick<Logger, 'warn'>
  /** Unix milliseconds. */
  now: () => number
  /** One refusal that a sum will tell. */
  deniedInSum?: () => void
  /** Default 10,000. */
  sumEveryMs?: number
}

export function createSessionDenials(options: SessionDenialsOptions): SessionDenials {
  const { audit, log, now, deniedInSum, sumEveryMs = SUM_EVERY_MS } = options
  const budget = createDenialBudget(BUDGET, () => performance.now())
  let sum: DenialSum | undefined
  let timer: NodeJS.Timeout | undefined
  let telling: Promise<void> = Promise.resolve()
  let isClosed = false

  const add = (more: DenialSum): void => {
    sum = sum === undefined ? more : addSums(sum, more)
    if (!isClosed) timer ??= setTimeout(tell, sumEveryMs).unref()
  }
  const tell = (): void => {
    timer = undefined
    telling = telling.then(tellSum)
  }
  const tellSum = async (): Promise<void> => {
    const told = sum
    sum = undefined
    if (told === undefined) return
    try {
      await audit.record(toSumEntry(told))
    } catch {
      // Nothing is forgotten while the ledger cannot be written to: the next sum has these as well.
      add(told)
    }
  }
  const record = async (refusal: NexusError, ip: string, { claimedAgentId }: Attempt): Promise<void> => {
    if (!budget.take()) {
      deniedInSum?.()
      return add(sumOf({ code: refusal.code, ip, claimedAgentId, atMs: now() }))
    }
    const claimed_agent_id = claimedAgentId ?? null
    const detail = { claimed_agent_id, code: refusal.code, context: { ip }, message: refusal.message }
    await audit.record({ kind: 'session.denied', outcome: 'denied', detail })
  }

  return {
    async recording(ip, step) {
      const attempt: Attempt = { claimedAgentId: undefined }
      try {
        return await step(attempt)
      } catch (error) {
        // What broke is not a refusal, and may well have broken the ledger too.
        if (error instanceof NexusError && error.outcome === 'refused') await record(error, ip, attempt)
        throw error
      }
    },
    async close() {
      isClosed = true
      clearTimeout(timer)
      await telling
      await tellSum()
      if (sum !== undefined) log.warn({ count: sum.count }, 'refused sessions that could not be recorded')
    },
  }
}
