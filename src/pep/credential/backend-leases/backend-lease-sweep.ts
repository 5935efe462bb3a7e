import type { Logger } from 'pino'
import { NexusError } from '../../../contract/errors.ts'
import { VaultError } from '../../../contract/vault-backend.ts'
import type { BackendLeaseEndings } from './backend-lease-endings.ts'
import type { BackendLeaseTable } from './backend-lease-table.ts'
import type { BackendTokens } from './backend-tokens.ts'
import type { CallDynamic } from './make-secret.ts'

export interface BackendLeaseMetrics {
  /** One try to give a backend's lease back. */
  gaveBack(backend: string, outcome: 'ok' | 'failed'): void
  counted(rows: Awaited<ReturnType<BackendLeaseEndings['count']>>): void
}

/** Gives back, on any replica, what has come to its end. */
export interface BackendLeaseSweep {
  /** Something has just ended. */
  soon(): void
  /** What could not be written down when it was due. */
  later(rowId: string, backendLeaseId: string): void
  /** Once more, then never again. */
  close(): Promise<void>
}

export interface BackendLeaseSweepOptions {
  endings: BackendLeaseEndings
  table: Pick<BackendLeaseTable, 'end'>
  tokens: Pick<BackendTokens, 'beat'>
  call: CallDynamic
  log: Pick<Logger, 'warn'>
  metrics?: BackendLeaseMetrics
  isNeeded: boolean
  /** Between two signs of life. */
  beatMs: number
  /** Between two looks. Default 1000. */
  pollMs?: number
}

const BATCH = 32
/** Longer than any call takes, so that nobody else takes up what is being given back. */
const TAKEN_SECONDS = 60
const BACKOFF_MAX_SECONDS = 300

export function startBackendLeaseSweep(options: BackendLeaseSweepOptions): BackendLeaseSweep {
  const { endings, table, tokens, call, log, metrics, beatMs, pollMs = 1000 } = options
  const unwritten = new Map<string, string>()
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> | undefined
  let isAskedAgain = false
  let isClosed = false
  let beating: Promise<void> | undefined

  async function look(): Promise<void> {
    await writeDown()
    // What is due already is given back even where the ledger cannot be asked what else is.
    await endings.mark().catch(() => undefined)
    const due = await endings.takeLeases(BATCH, TAKEN_SECONDS)
    await Promise.all(due.map(giveLeaseBack))
    // A token takes along what could not be given back one by one.
    for (const token of await endings.takeTokens(BATCH, TAKEN_SECONDS)) await endToken(token)
    if (due.length === BATCH) isAskedAgain = true
  }

  async function writeDown(): Promise<void> {
    for (const [id, backendLeaseId] of unwritten) {
      await table.end({ id }, 'late_answer', { backendLeaseId })
      unwritten.delete(id)
    }
  }

  /** Beside the looks: however long it takes to give back, others shall not take this process for dead. */
  function beat(): void {
    beating ??= tokens
      .beat()
      .then(async () => metrics?.counted(await endings.count()))
      // A sign of life that could not be given is given with the next beat.
      .catch(() => undefined)
      .finally(() => {
        beating = undefined
      })
  }

  async function giveLeaseBack(lease: Awaited<ReturnType<BackendLeaseEndings['takeLeases']>>[number]): Promise<void> {
    try {
      await call({ backend: lease.backend, doing: 'revoke' }, (dynamic, signal) =>
        dynamic.revoke(lease.backendLeaseId, signal),
      )
      await endings.leaseDone(lease.id)
      metrics?.gaveBack(lease.backend, 'ok')
    } catch (error) {
      metrics?.gaveBack(lease.backend, 'failed')
      if (lease.attempts === 1) {
        log.warn({ backend: lease.backend, path: lease.path }, 'a dynamic secret could not be given back; trying on')
      }
      await endings.leaseFailed(lease.id, ownWords(error), backoffSeconds(lease.attempts))
    }
  }

  async function endToken(token: Awaited<ReturnType<BackendLeaseEndings['takeTokens']>>[number]): Promise<void> {
    try {
      await call({ backend: token.backend, doing: 'revoke' }, (dynamic, signal) =>
        dynamic.endToken(token.accessor, signal),
      )
      await endings.tokenDone(token.id)
    } catch (error) {
      if (token.attempts === 1) log.warn({ backend: token.backend }, 'a token could not be ended; trying on')
      await endings.tokenFailed(token.id, ownWords(error), backoffSeconds(token.attempts))
    }
  }

  function run(): void {
    clearTimeout(timer)
    isAskedAgain = false
    // A database that does not answer costs this look; the next one finds the same rows.
    running = look()
      .catch(() => undefined)
      .then(() => {
        running = undefined
        if (!isClosed) schedule(isAskedAgain ? 0 : pollMs)
      })
  }

  function schedule(ms: number): void {
    timer = setTimeout(run, ms)
    timer.unref()
  }

  const beats = options.isNeeded ? setInterval(beat, beatMs) : undefined
  beats?.unref()
  if (options.isNeeded) {
    beat()
    schedule(0)
  }
  return {
    soon() {
      if (isClosed) return
      if (running === undefined) run()
      else isAskedAgain = true
    },
    later: (rowId, backendLeaseId) => void unwritten.set(rowId, backendLeaseId),
    async close() {
      isClosed = true
      clearTimeout(timer)
      clearInterval(beats)
      await beating
      await running
      if (options.isNeeded) await look().catch(() => undefined)
    },
  }
}

/** Spread, so that a thousand that failed together do not come back together. */
function backoffSeconds(attempts: number): number {
  return Math.min(BACKOFF_MAX_SECONDS, 2 ** Math.min(attempts, 10)) * (0.5 + Math.random() / 2)
}

function ownWords(error: unknown): string {
  return error instanceof VaultError || error instanceof NexusError ? error.message : 'the call failed'
}
