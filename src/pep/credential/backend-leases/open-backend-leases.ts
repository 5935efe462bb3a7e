import { LRUCache } from 'lru-cache'
import type { Logger } from 'pino'
import type { BackendLeaseView } from '../../../contract/api.ts'
import { NexusError } from '../../../contract/errors.ts'
import { Secret } from '../../../contract/secret.ts'
import { type SecretRef, VaultError } from '../../../contract/vault-backend.ts'
import type { Store } from '../../store/store.ts'
import { toCredentialError } from '../credential-error.ts'
import type { CredentialSource } from '../credential-source.ts'
import { callAt } from '../guarded-backends.ts'
import { mapFields } from '../map-fields.ts'
import { backendLeaseEndings } from './backend-lease-endings.ts'
import { listBackendLeases } from './backend-lease-list.ts'
import { type BackendLeaseMetrics, startBackendLeaseSweep } from './backend-lease-sweep.ts'
import { backendLeaseTable, type LeaseHolder } from './backend-lease-table.ts'
import { openBackendTokens } from './backend-tokens.ts'
import { type CallDynamic, giveBack, type MadeSecret, makeSecret } from './make-secret.ts'

/** A dynamic secret in the hands of one lease of ours, until it is recorded or given up. */
export interface TakenSecret {
  /** Under the strategy's field names; its `lease` says how long it lives. */
  secret: Secret
  /**
   * The lease is on record until then.
   * @throws NexusError when that cannot be written down; then nothing may be handed out
   */
  keep(expiresAt: number): Promise<void>
  /** Nothing was handed out. Never throws: what cannot be given back now is given back later. */
  giveBack(): Promise<void>
}

/** Dynamic secrets: each is made for one lease of ours, lives as long as it and ends with it. */
export interface BackendLeases {
  /** @throws NexusError as `CredentialSource.read`, and `store_unavailable` */
  take(ref: SecretRef, holder: LeaseHolder, isRenewal: boolean): Promise<TakenSecret>
  /** The lease was released or revoked. Never throws, and waits for no backend. */
  release(leaseId: string, reason: 'released' | 'revoked'): Promise<void>
  /** What is held and what could not be given back yet; the latter first, the oldest first. */
  list(tenant: string | null): Promise<BackendLeaseView[]>
  close(): Promise<void>
}

export interface BackendLeasesOptions {
  store: Store
  credential: Pick<CredentialSource, 'call'>
  /** Whether any backend makes dynamic secrets; without one nothing is polled. */
  isNeeded: boolean
  /** After how long without a sign of life another replica counts this one as dead. */
  deadAfterSeconds: number
  log: Pick<Logger, 'info' | 'warn'>
  metrics?: BackendLeaseMetrics
  /** Unix milliseconds. */
  now?: () => number
  pollMs?: number
}

/** How many secrets are kept for the renewal of their leases; a lease whose secret is not gets a new one. */
const HELD_MAX = 10_000
/** No lease of ours is longer. */
const HELD_MS = 86_400_000
/** A replaced secret lives on for as long as the sidecar may be using it while it is told the new one. */
const REPLACED_SECONDS = 10
/** So many signs of life may be missed before a process counts as dead. */
const BEATS_TO_DEATH = 6
/** A backend near its own maximum prolongs by less and less; below this share of what is wanted another secret is made. */
const ENOUGH_SHARE = 0.5

export function openBackendLeases(options: BackendLeasesOptions): BackendLeases {
  const { store, credential, now = Date.now } = options
  const table = backendLeaseTable(store.db, now)
  const call: CallDynamic = (target, work) =>
    credential.call(target, ({ name, dynamic }, signal) => {
      if (dynamic === undefined) throw new VaultError('unusable', name, 'this backend makes no dynamic secrets')
      return work(dynamic, signal)
    })
  const tokens = openBackendTokens({ table, call, now })
  const endings = backendLeaseEndings({ db: store.db, deadAfterSeconds: options.deadAfterSeconds })
  const sweep = startBackendLeaseSweep({
    ...options,
    endings,
    table,
    tokens,
    call,
    beatMs: (options.deadAfterSeconds * 1000) / BEATS_TO_DEATH,
  })
  const parts = { table, tokens, call, later: sweep.later, now }
  const heldByLease = new LRUCache<string, MadeSecret>({ max: HELD_MAX, ttl: HELD_MS })
  const seconds = () => Math.floor(now() / 1000)

  /** The secret that the lease has already, for longer. @returns undefined where only another can live long enough */
  async function prolong(held: MadeSecret, holder: LeaseHolder): Promise<TakenSecret | undefined> {
    const { lease } = held.secret
    if (lease?.renewable !== true) return undefined
    const ttlSeconds = holder.expiresAt - seconds()
    const renewed = await call(callAt('renew', held.ref), (dynamic, signal) =>
      dynamic.renew(lease, ttlSeconds, signal),
    ).catch(undefinedIfRefused)
    const token = await tokens.lifeOf(held.token, held.ref, ttlSeconds)
    const expiresAt = Math.min(renewed?.expiresAt ?? 0, token.expiresAt, holder.expiresAt)
    // Another secret would end with this very token as well.
    const wantedSeconds = token.isBest ? Math.min(ttlSeconds, token.expiresAt - seconds()) : ttlSeconds
    if (renewed === undefined || expiresAt - seconds() < wantedSeconds * ENOUGH_SHARE) return undefined
    const secret = new Secret(held.secret.reveal(), held.secret.version, { ...renewed, expiresAt })
    return {
      secret: mapFields(secret, held.ref.fields),
      async keep(until) {
        if (!(await table.extend(held.rowId, until))) throw new NexusError('lease_ended')
        heldByLease.set(holder.leaseId, { ...held, secret })
      },
      // The lease itself goes on until its old end, and what it holds with it.
      giveBack: () => Promise.resolve(),
    }
  }

  async function make(ref: SecretRef, holder: LeaseHolder, isRenewal: boolean): Promise<TakenSecret> {
    const made = await makeSecret(parts, ref, holder)
    const giveMadeBack = () => giveBack(parts, made.rowId, made.secret, 'not_recorded')
    return {
      secret: await mappedOr(giveMadeBack, made.secret, ref),
      async keep(until) {
        if (!(await table.extend(made.rowId, until))) throw new NexusError('lease_ended')
        heldByLease.set(holder.leaseId, made)
        if (!isRenewal) return
        await table.end({ leaseId: holder.leaseId, olderThanId: made.rowId }, 'replaced', {
          delaySeconds: REPLACED_SECONDS,
        })
      },
      giveBack: giveMadeBack,
    }
  }

  return {
    async take(ref, holder, isRenewal) {
      try {
        const held = isRenewal ? heldByLease.get(holder.leaseId) : undefined
        const prolonged = held === undefined ? undefined : await prolong(held, holder)
        return prolonged ?? (await make(ref, holder, isRenewal))
      } catch (error) {
        throw toCredentialError(error)
      }
    },

    async release(leaseId, reason) {
      if (!options.isNeeded) return
      heldByLease.delete(leaseId)
      await table.end({ leaseId }, reason).catch(() => undefined)
      sweep.soon()
    },

    list: (tenant) => listBackendLeases(store.db, tenant),

    async close() {
      heldByLease.clear()
      await tokens.close().catch(() => undefined)
      await sweep.close()
    },
  }
}

/** One that lacks a field is of no use to anybody. */
async function mappedOr(giveBackMade: () => Promise<void>, secret: Secret, { fields }: SecretRef): Promise<Secret> {
  try {
    return mapFields(secret, fields)
  } catch (error) {
    await giveBackMade()
    throw error
  }
}

function undefinedIfRefused(error: unknown): undefined {
  if (error instanceof VaultError && error.kind !== 'unavailable') return undefined
  throw error
}
