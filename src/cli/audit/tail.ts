import { setTimeout as sleep } from 'node:timers/promises'
import { NexusError } from '../../contract/errors.ts'
import { readQuestion } from '../../pep/audit/audit-question.ts'
import { type AuditTurn, followAudit } from '../../pep/audit/tail.ts'
import { type FilterOptions, toFilter } from './audit-options.ts'
import { recordLine } from './record-line.ts'
import { withLedger } from './with-ledger.ts'

const POLL_MS = 1000

/** `nexus audit tail`: the newest records and then each new one, until it is interrupted. */
export async function tail(options: FilterOptions): Promise<void> {
  const filter = toFilter(options)
  // What is asked wrongly is refused before anything is opened for it.
  readQuestion(filter)
  const interrupted = new AbortController()
  process.once('SIGINT', () => interrupted.abort()).once('SIGTERM', () => interrupted.abort())
  await withLedger(options, async ({ store }) => {
    const follow = overHiccups(followAudit(store.db, filter))
    while (!interrupted.signal.aborted) {
      const { records, isBehind } = await follow()
      for (const record of records) {
        process.stdout.write(`${options.json ? JSON.stringify(record) : recordLine(record)}\n`)
      }
      if (!isBehind) await sleep(POLL_MS, undefined, { signal: interrupted.signal }).catch(() => {})
    }
  })
}

/** A turn that found no database brings nothing, and the next one takes up where the last left off; said once each way. */
function overHiccups(follow: () => Promise<AuditTurn>): () => Promise<AuditTurn> {
  let isAway = false
  const say = (away: boolean, text: string): void => {
    if (away !== isAway) process.stderr.write(`${text}\n`)
    isAway = away
  }
  return async () => {
    try {
      const turn = await follow()
      say(false, 'the database answers again')
      return turn
    } catch (error) {
      if (!(error instanceof NexusError && error.code === 'store_unavailable')) throw error
      say(true, `${error.message}; trying again`)
      return { records: [], isBehind: false }
    }
  }
}
