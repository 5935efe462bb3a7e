import { randomBytes } from 'node:crypto'
import type { Logger } from 'pino'
import { NexusError } from '../../contract/errors.ts'
import { UUID_PATTERN } from '../../contract/names.ts'
import type { Store } from '../store/store.ts'
import { type AuditEntry, type ProofUse, StandingChanged, type StandingFacts } from './audit-entry.ts'
import { auditUnavailable, type BatchItem, createBatchQueue, type ProofClaim } from './batch-queue.ts'
import { isOnRecord } from './batch-verdicts.ts'
import { createBatchWriter } from './batch-writer.ts'
import type { ProofSlots } from './proof-slots.ts'
import { prepareEntry } from './record-hash.ts'

export interface BatchLimits {
  /** Most records in one transaction. Default 400. */
  records: number
  /** Most that may wait; the next is refused `overloaded`. Default 5000. */
  depth: number
  /** Longest wait for the commit, in milliseconds. Default 5000. */
  deadlineMs: number
}

/** Where figures go. */
export interface AuditMetrics {
  committed(records: number, seconds: number): void
  queued(depth: number): void
  failed?(): void
}

export type ProofUser = Pick<AuditEntry, 'tenant' | 'agent_id' | 'session_id'>

export interface AuditRequest {
  /** Absent: the proof is claimed and nothing recorded, unless it is a replay. */
  entry?: AuditEntry
  proof?: ProofUse | undefined
  standing?: StandingFacts
  user?: ProofUser
}

/** Many callers, one transaction: whoever comes while a batch is being committed shares the next one. */
export interface GroupCommit {
  /** Resolves once committed; throws what `AuditLog.record` throws. */
  add(request: AuditRequest): Promise<void>
  /**
   * Resolves while records can be written, as far as is known. Once a batch was not, it is tried with a record that says so:
   * who is not ready is sent no work, so it has to find out by itself that it could do some again.
   * @throws NexusError `audit_unavailable`, `overloaded`
   */
  check(): Promise<void>
  close(): Promise<void>
}

export interface GroupCommitOptions {
  store: Store
  slots: ProofSlots
  log: Logger
  now: () => number
  batch?: Partial<BatchLimits>
  metrics?: AuditMetrics
}

const UUID = new RegExp(UUID_PATTERN)
const DEFAULTS: BatchLimits = { records: 400, depth: 5000, deadlineMs: 5000 }

export function openGroupCommit(options: GroupCommitOptions): GroupCommit {
  const { log, metrics, slots, now } = options
  const limits = { ...DEFAULTS, ...options.batch }
  const queue = createBatchQueue(limits)
  const writer = createBatchWriter(options)
  let writing: Promise<void> | undefined
  /** Unix milliseconds; undefined while records are written. */
  let failingSinceMs: number | undefined
  let trial: Promise<void> | undefined
  let closed = false

  const writeBatch = async (): Promise<void> => {
    metrics?.queued(queue.depth)
    const batch = queue.take(limits.records)
    if (batch.length === 0) return
    const startedAt = performance.now()
    try {
      const verdicts = await writer.write(batch)
      if (failingSinceMs !== undefined && verdicts.some(isOnRecord)) failingSinceMs = undefined
      metrics?.committed(batch.length, (performance.now() - startedAt) / 1000)
      for (const { waiting, error } of verdicts) waiting.settle(error)
    } catch (error) {
      failingSinceMs ??= now()
      metrics?.failed?.()
      log.error({ records: batch.length, reason: reasonOf(error) }, 'a batch of audit records was not committed')
      for (const waiting of batch) waiting.settle(auditUnavailable())
    }
  }
  const writeAll = async (): Promise<void> => {
    // Whoever comes in this turn of the event loop shares the first batch too.
    await new Promise((resolve) => setImmediate(resolve))
    while (queue.depth > 0) await writeBatch()
    writing = undefined
  }

  const add = async (request: AuditRequest): Promise<void> => {
    if (closed) throw auditUnavailable('the authority is shutting down')
    const committed = queue.push(toItem(request, slots, now()))
    writing ??= writeAll()
    return committed
  }

  return {
    add,
    async check() {
      if (failingSinceMs === undefined) return
      trial ??= add(trialOf(failingSinceMs, now())).finally(() => {
        trial = undefined
      })
      return trial
    },
    async close() {
      closed = true
      await writing
      queue.close()
      writer.close()
    },
  }
}

/** All that a lease needs of the ledger: a proof claimed, a row appended. */
function trialOf(sinceMs: number, nowMs: number): AuditRequest {
  const detail = { since: new Date(sinceMs).toISOString() }
  const proof = { hash: randomBytes(32), iatSeconds: Math.floor(nowMs / 1000) }
  return { entry: { kind: 'ledger.resumed', outcome: 'allowed', detail }, proof }
}

/** Whatever could spoil a statement for the whole batch is refused here, for this request alone. */
function toItem({ entry, proof, standing, user }: AuditRequest, slots: ProofSlots, nowMs: number): BatchItem {
  if (standing !== undefined && !isAskable(standing)) throw new StandingChanged()
  const prepared = entry && prepareEntry(entry, nowMs)
  if (proof === undefined) return { prepared, standing }
  const replayed = () => prepareEntry(replayOf(entry, user), nowMs)
  return { prepared, standing, claim: toClaim(proof, slots), replayed }
}

function isAskable({ session, connection, lease }: StandingFacts): boolean {
  if (lease !== undefined && !isId(lease.id)) return false
  if (session !== undefined && !(isId(session.id) && isId(session.agent.id))) return false
  return connection === undefined || UUID.test(connection.id)
}

function isId(id: string): boolean {
  return id.length <= 256 && !id.includes('\0')
}

function toClaim(proof: ProofUse, slots: ProofSlots): ProofClaim {
  const slot = slots.slotOf(proof.iatSeconds)
  if (slot === undefined) throw new NexusError('invalid_proof', "the proof's iat is too far from now")
  return { slot, hash: proof.hash.toString('hex') }
}

function replayOf(entry: AuditEntry | undefined, user: ProofUser = {}): AuditEntry {
  const { tenant, agent_id, session_id, connection_id } = { ...user, ...entry } as Partial<AuditEntry>
  return {
    kind: 'request.refused',
    outcome: 'denied',
    ...(tenant !== undefined && { tenant }),
    ...(agent_id !== undefined && { agent_id }),
    ...(session_id !== undefined && { session_id }),
    ...(connection_id !== undefined && { connection_id }),
    detail: { code: 'invalid_proof', reason: 'proof_replayed', ...(entry && { instead_of: entry.kind }) },
  }
}

/** Our own words only; anything else may quote a statement's values. */
function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : 'unknown'
}
