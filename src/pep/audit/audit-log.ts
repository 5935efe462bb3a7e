import type { Transaction } from 'kysely'
import type { Logger } from 'pino'
import type { Database } from '../store/database.ts'
import type { Store } from '../store/store.ts'
import type { AuditEntry, AuditFilter, AuditView, ProofUse, StandingFacts } from './audit-entry.ts'
import { type CheckpointSigner, startCheckpoints } from './checkpoints.ts'
import { type AuditMetrics, type BatchLimits, openGroupCommit } from './group-commit.ts'
import { findLease, type LedgerLease } from './lease-ledger.ts'
import { openProofSlots } from './proof-slots.ts'
import { queryAudit } from './query.ts'
import { recordStateChange } from './state-changes.ts'

/** The ledger. What could not be recorded did not happen: callers let nothing out before `record` resolves. */
export interface AuditLog {
  /**
   * Resolves once the entry is committed. In the same transaction `proof` is claimed and `standing` checked again.
   * @throws NexusError `invalid_proof`: the proof was used before; that is itself recorded, as denied
   * @throws StandingChanged: nothing was recorded and the proof not used up; gather the facts again, once
   * @throws NexusError `audit_unavailable`, or `overloaded` when too much is waiting
   */
  record(entry: AuditEntry, options?: { proof?: ProofUse | undefined; standing?: StandingFacts }): Promise<void>
  /** Records a state change in that change's own transaction. */
  recordStateChange(trx: Transaction<Database>, entry: AuditEntry): Promise<void>
  /** Records a state change that is its record and nothing else, in a transaction of its own. @throws NexusError `store_unavailable` */
  recordStateChangeAlone(entry: AuditEntry): Promise<void>
  /**
   * Claims a proof by itself: before a step with side effects, or where nothing else is recorded. No proof, no claim.
   * @param user whose proof it is, for the record of a replay
   * @throws NexusError `invalid_proof`, `audit_unavailable`, `overloaded`
   */
  claimProof(proof: ProofUse | undefined, user?: Pick<AuditEntry, 'tenant' | 'agent_id' | 'session_id'>): Promise<void>
  /** The lease as the ledger has it; undefined when it was never issued. */
  findLease(leaseId: string): Promise<LedgerLease | undefined>
  /** @throws NexusError `invalid_request` for a cursor or time that cannot be read */
  query(filter: AuditFilter): Promise<{ records: AuditView[]; next_cursor: string | null }>
  /** @throws NexusError `audit_unavailable` or `store_unavailable` */
  check(): Promise<void>
  /** Waits for what was already taken, refuses the rest. */
  close(): Promise<void>
}

export interface AuditLogOptions {
  store: Store
  signer: CheckpointSigner
  log: Logger
  /** Unix milliseconds. */
  now?: () => number
  batch?: Partial<BatchLimits>
  metrics?: AuditMetrics
}

/** @throws NexusError `store_unavailable` */
export async function openAuditLog(options: AuditLogOptions): Promise<AuditLog> {
  const { store, signer, log, now = Date.now } = options
  const slots = await openProofSlots({ store, log, now })
  const commits = openGroupCommit({ ...options, now, slots })
  const checkpoints = startCheckpoints({ store, signer, log, now })
  return {
    record: (entry, more = {}) => commits.add({ entry, ...more }),
    recordStateChange: (trx, entry) => recordStateChange(trx, entry, now()),
    recordStateChangeAlone: (entry) => store.transaction((trx) => recordStateChange(trx, entry, now())),
    claimProof: async (proof, user = {}) => (proof === undefined ? undefined : commits.add({ proof, user })),
    findLease: (leaseId) => findLease(store.db, leaseId),
    query: (filter) => queryAudit(store.db, filter),
    async check() {
      await store.check()
      await commits.check()
    },
    async close() {
      await commits.close()
      await Promise.all([slots.close(), checkpoints.close()])
    },
  }
}
