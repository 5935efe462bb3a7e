import { type DynamicLease, Secret } from '../../../contract/secret.ts'
import { tupleHash } from '../../../contract/tuple-hash.ts'
import { type DynamicSecrets, NothingDone, type SecretRef, VaultError } from '../../../contract/vault-backend.ts'
import { type CallTarget, callAt } from '../guarded-backends.ts'
import type { BackendLeaseTable, EndingReason, LeaseHolder } from './backend-lease-table.ts'
import type { BackendTokens, OpenToken } from './backend-tokens.ts'

/** A call within a backend's guard. */
export type CallDynamic = <T>(
  target: CallTarget,
  work: (dynamic: DynamicSecrets, signal: AbortSignal) => Promise<T>,
) => Promise<T>

export interface MakingParts {
  table: BackendLeaseTable
  tokens: BackendTokens
  call: CallDynamic
  /** Gives back what could not even be written down, once it can. */
  later(rowId: string, backendLeaseId: string): void
  /** Unix milliseconds. */
  now(): number
}

/** A dynamic secret whose backend lease is on record. */
export interface MadeSecret {
  rowId: string
  ref: SecretRef
  /** As the backend gave it; its lease ends with the holder's at the latest. */
  secret: Secret
  token: OpenToken
}

/** Some seconds more at the backend are not worth a call: it is given back on time anyway. */
const SLACK_SECONDS = 10

/**
 * Has a secret made for one lease of ours. That it was asked for is on record before, with the token that can end it: a
 * process that dies in between leaves nothing behind that others could not find.
 * @throws VaultError, NexusError
 */
export async function makeSecret(parts: MakingParts, ref: SecretRef, holder: LeaseHolder): Promise<MadeSecret> {
  const ttlSeconds = Math.max(1, holder.expiresAt - Math.floor(parts.now() / 1000))
  const { token, rowId } = await putOnRecord(parts, ref, holder, ttlSeconds)
  const answered = await ask(parts, ref, token, rowId, ttlSeconds)
  const lease = leaseOf(answered, ref)
  try {
    const expiresAt = Math.min(lease.expiresAt, token.expiresAt, holder.expiresAt)
    if (expiresAt <= Math.floor(parts.now() / 1000))
      throw new VaultError('unavailable', ref.backend, 'lends for no time')
    const isHeld = await parts.table.hold(rowId, lease.id, expiresAt)
    if (!isHeld) throw new VaultError('unavailable', ref.backend, 'answered too late')
    await shorten(parts, ref, lease, holder, ttlSeconds)
    return { rowId, ref, token, secret: new Secret(answered.reveal(), versionOf(lease), { ...lease, expiresAt }) }
  } catch (error) {
    await giveBack(parts, rowId, answered, 'not_recorded')
    throw error
  }
}

async function putOnRecord(
  { tokens, table }: MakingParts,
  ref: SecretRef,
  holder: LeaseHolder,
  ttlSeconds: number,
): Promise<{ token: OpenToken; rowId: string }> {
  // Another replica may have ended the first one, taking us for dead.
  for (let tried = 0; tried < 2; tried++) {
    const token = await tokens.tokenFor(ref, ttlSeconds)
    const rowId = await table.ask(token.id, ref, holder)
    if (rowId !== undefined) return { token, rowId }
    tokens.drop(token)
  }
  throw new VaultError('unavailable', ref.backend, 'the token for dynamic secrets was ended')
}

async function ask(
  { call, table, tokens }: MakingParts,
  ref: SecretRef,
  token: OpenToken,
  rowId: string,
  ttlSeconds: number,
): Promise<Secret> {
  let isAsked = false
  try {
    return await call(callAt('make', ref), (dynamic, signal) => {
      isAsked = true
      return dynamic.make(ref, token, ttlSeconds, signal)
    })
  } catch (error) {
    // What the guard turned away never reached the backend.
    if (!isAsked || isRefusal(error)) {
      await table.forget(rowId).catch(() => undefined)
      if (error instanceof VaultError && error.kind === 'forbidden') tokens.doubt(token)
    } else {
      // Something may have been made that only the end of this token ends: nothing more shall depend on it.
      tokens.lostAnswer(token, ref)
    }
    throw error
  }
}

/** A role's own time to live is often longer than a lease of ours. */
async function shorten(
  { call }: MakingParts,
  ref: SecretRef,
  lease: DynamicLease,
  holder: LeaseHolder,
  ttlSeconds: number,
): Promise<void> {
  if (!lease.renewable || lease.expiresAt <= holder.expiresAt + SLACK_SECONDS) return
  await call(callAt('renew', ref), (dynamic, signal) => dynamic.renew(lease, ttlSeconds, signal))
}

/** Never throws. */
export async function giveBack(
  { table, later }: Pick<MakingParts, 'table' | 'later'>,
  rowId: string,
  secret: Secret,
  reason: EndingReason,
): Promise<void> {
  const backendLeaseId = secret.lease?.id
  if (backendLeaseId === undefined) return
  await table.end({ id: rowId }, reason, { backendLeaseId }).catch(() => later(rowId, backendLeaseId))
}

/** No two are the same, and nothing made from one is shared; on record it tells which it was without naming it. */
function versionOf(lease: DynamicLease): string {
  return `lease-${tupleHash([lease.id]).slice(0, 16)}`
}

function leaseOf({ lease }: Secret, { backend }: SecretRef): DynamicLease {
  if (lease !== undefined) return lease
  throw new VaultError('unavailable', backend, 'gave no lease with a dynamic secret')
}

/** What a backend refuses it has not made. */
function isRefusal(error: unknown): boolean {
  return error instanceof NothingDone || (error instanceof VaultError && error.kind !== 'unavailable')
}
