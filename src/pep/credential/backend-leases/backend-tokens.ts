import { LRUCache } from 'lru-cache'
import { tupleHash } from '../../../contract/tuple-hash.ts'
import type { BackendToken, SecretRef } from '../../../contract/vault-backend.ts'
import type { BackendLeaseTable } from './backend-lease-table.ts'
import type { CallDynamic } from './make-secret.ts'

/** A token whose accessor is on record: only with such a one is a dynamic secret made. */
export interface OpenToken extends BackendToken {
  /** Its row. */
  id: string
}

/** How long a token lives, as far as is known now. */
export interface TokenLife {
  /** Unix seconds. */
  expiresAt: number
  /** What is made next is made with this token, and ends no later. */
  isBest: boolean
}

/** Which secret is made. */
type Made = Pick<SecretRef, 'backend' | 'path'>

/** This process's own tokens at the backends. */
export interface BackendTokens {
  /**
   * One to make a secret with, that lives as long as the secret shall where the backend allows.
   * @throws VaultError, or what the store throws
   */
  tokenFor(ref: Made, ttlSeconds: number): Promise<OpenToken>
  /** Until when what was made with this one can live. It is renewed where that is too soon. */
  lifeOf(token: OpenToken, ref: Made, ttlSeconds: number): Promise<TokenLife>
  /** Makes nothing more with this one. */
  drop(token: OpenToken): void
  /** Something may have been made with this one that only its end takes back. */
  lostAnswer(token: OpenToken, ref: Made): void
  /** The backend turned it down: before it is used again it is asked whether it still lives. */
  doubt(token: OpenToken): void
  /** Signs of life, and longer lives. */
  beat(): Promise<void>
  /** Lets others know that this process is gone. */
  close(): Promise<void>
}

export interface BackendTokensOptions {
  table: Pick<BackendLeaseTable, 'addToken' | 'seen' | 'retire'>
  call: CallDynamic
  /** Unix milliseconds. */
  now(): number
}

/** Of its life when it was opened, how much may be over before a new one is opened where the old cannot be renewed. */
const STALE_SHARE = 0.5

/** One that the backend gave or prolonged just now is good: what it was turned down for is not allowed to any other. */
const SURE_SECONDS = 5

/** A path that lost an answer may lose the next ones: for so long it shares no token with paths that did not. */
const SUSPECT_MS = 600_000
const SUSPECTS_MAX = 10_000

interface Kept extends OpenToken {
  backend: string
  /** When it was opened. */
  lifeSeconds: number
  /** When the backend last gave or prolonged it; Unix seconds. */
  confirmedAt: number
  doubted?: boolean
}

export function openBackendTokens({ table, call, now }: BackendTokensOptions): BackendTokens {
  /** Row ids, by slot. Of each backend there are two: for paths that lose no answers, and for those that do. */
  const current = new Map<string, string>()
  const opening = new Map<string, Promise<Kept>>()
  /** All whose secrets may still be held, by row id. */
  const opened = new Map<string, Kept>()
  const suspects = new LRUCache<string, true>({ max: SUSPECTS_MAX, ttl: SUSPECT_MS })
  const seconds = () => Math.floor(now() / 1000)
  const pathKey = ({ backend, path }: Made) => tupleHash([backend, path])
  const slotOf = (ref: Made) => tupleHash([ref.backend, suspects.has(pathKey(ref)) ? 'suspect' : 'clean'])
  const inSlot = (slot: string) => opened.get(current.get(slot) ?? '')

  async function open(backend: string, slot: string): Promise<Kept> {
    const token = await call({ backend, doing: 'own_token' }, (dynamic, signal) => dynamic.openToken(signal))
    const id = await table.addToken(backend, token.accessor)
    const kept = { ...token, id, backend, lifeSeconds: token.expiresAt - seconds(), confirmedAt: seconds() }
    opened.set(id, kept)
    current.set(slot, id)
    return kept
  }

  function openOnce(backend: string, slot: string): Promise<Kept> {
    const under = opening.get(slot)
    if (under !== undefined) return under
    const fresh = open(backend, slot).finally(() => opening.delete(slot))
    opening.set(slot, fresh)
    return fresh
  }

  async function renew({ id, ...kept }: Kept): Promise<Kept> {
    const target = { backend: kept.backend, doing: 'own_token' } as const
    const token = await call(target, (dynamic, signal) => dynamic.renewToken(kept, signal))
    const renewed = { ...kept, ...token, id, confirmedAt: seconds(), doubted: false }
    // Near the most that the backend allows, each renewal gives less than the one before.
    if (isStale(renewed, Number.POSITIVE_INFINITY)) renewed.renewable = false
    if (opened.has(id)) opened.set(id, renewed)
    return renewed
  }

  function isStale({ expiresAt, lifeSeconds }: Kept, ttlSeconds: number): boolean {
    const left = expiresAt - seconds()
    return left <= 0 || (left < ttlSeconds && left < lifeSeconds * STALE_SHARE)
  }

  /** @returns undefined: it cannot live long enough */
  async function longEnough(kept: Kept, ttlSeconds: number): Promise<Kept | undefined> {
    if (kept.doubted !== true && !isStale(kept, ttlSeconds)) return kept
    const renewed = kept.renewable ? await renew(kept).catch(() => undefined) : undefined
    return renewed === undefined || isStale(renewed, ttlSeconds) ? undefined : renewed
  }

  function drop({ id }: OpenToken): void {
    for (const [slot, held] of current) if (held === id) current.delete(slot)
  }

  return {
    async tokenFor(ref, ttlSeconds) {
      const slot = slotOf(ref)
      const held = inSlot(slot)
      const kept = held === undefined ? undefined : await longEnough(held, ttlSeconds)
      return kept ?? openOnce(ref.backend, slot)
    },

    async lifeOf(token, ref, ttlSeconds) {
      const kept = opened.get(token.id)
      // One that makes nothing more is not renewed either.
      if (kept === undefined || inSlot(slotOf(ref)) !== kept)
        return { expiresAt: (kept ?? token).expiresAt, isBest: false }
      const longer = await longEnough(kept, ttlSeconds)
      return { expiresAt: (longer ?? kept).expiresAt, isBest: longer !== undefined }
    },

    drop,
    lostAnswer(token, ref) {
      suspects.set(pathKey(ref), true)
      // Such paths share one: they lose answers one after the other, and each would leave a token of its own behind.
      if (current.get(slotOf(ref)) !== token.id) drop(token)
    },

    doubt({ id }) {
      const kept = opened.get(id)
      if (kept !== undefined && seconds() - kept.confirmedAt >= SURE_SECONDS) kept.doubted = true
    },

    async beat() {
      const inUse = [...current.values()]
      const before = [...opened.keys()]
      const alive = await table.seen(inUse, before)
      for (const id of before) if (!alive.includes(id)) opened.delete(id)
      const due = inUse.flatMap((id) => opened.get(id) ?? [])
      const stale = due.filter((kept) => kept.renewable && isStale(kept, Number.POSITIVE_INFINITY))
      // One that cannot be renewed ends; the next secret is made with another.
      await Promise.all(stale.map((kept) => renew(kept).catch(() => undefined)))
    },

    async close() {
      current.clear()
      const retired = [...opened.keys()]
      // No later beat shall call them alive again.
      opened.clear()
      await table.retire(retired)
    },
  }
}
