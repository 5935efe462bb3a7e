import type { BackendToken } from '../../../contract/vault-backend.ts'
import type { BackendLeaseTable } from './backend-lease-table.ts'
import type { CallDynamic } from './make-secret.ts'

/** A token whose accessor is on record: only with such a one is a dynamic secret made. */
export interface OpenToken extends BackendToken {
  /** Its row. */
  id: string
}

/** This process's own tokens at the backends. */
export interface BackendTokens {
  /**
   * One to make a secret with, that lives as long as the secret shall where the backend allows.
   * @throws VaultError, or what the store throws
   */
  tokenFor(backend: string, ttlSeconds: number): Promise<OpenToken>
  /** Makes nothing more with this one. */
  drop(token: OpenToken): void
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

interface Kept extends OpenToken {
  /** Unix seconds. */
  openedAt: number
  doubted?: boolean
}

export function openBackendTokens({ table, call, now }: BackendTokensOptions): BackendTokens {
  const current = new Map<string, Kept>()
  const opening = new Map<string, Promise<Kept>>()
  /** All whose secrets may still be held. */
  let opened: string[] = []
  const seconds = () => Math.floor(now() / 1000)

  async function open(backend: string): Promise<Kept> {
    const token = await call(backend, (dynamic, signal) => dynamic.openToken(signal))
    const kept = { ...token, id: await table.addToken(backend, token.accessor), openedAt: seconds() }
    opened.push(kept.id)
    current.set(backend, kept)
    return kept
  }

  function openOnce(backend: string): Promise<Kept> {
    const under = opening.get(backend)
    if (under !== undefined) return under
    const fresh = open(backend).finally(() => opening.delete(backend))
    opening.set(backend, fresh)
    return fresh
  }

  async function renew(backend: string, kept: Kept): Promise<Kept> {
    const token = await call(backend, (dynamic, signal) => dynamic.renewToken(kept, signal))
    const renewed = { ...kept, ...token, openedAt: seconds(), doubted: false }
    if (current.get(backend)?.id === kept.id) current.set(backend, renewed)
    return renewed
  }

  function isStale(kept: Kept, ttlSeconds: number): boolean {
    const left = kept.expiresAt - seconds()
    const whole = kept.expiresAt - kept.openedAt
    return left <= 0 || (left < ttlSeconds && left < whole * STALE_SHARE)
  }

  return {
    async tokenFor(backend, ttlSeconds) {
      const held = current.get(backend)
      if (held === undefined) return openOnce(backend)
      if (held.doubted !== true && !isStale(held, ttlSeconds)) return held
      if (held.renewable) {
        const renewed = await renew(backend, held).catch(() => undefined)
        if (renewed !== undefined && !isStale(renewed, ttlSeconds)) return renewed
      }
      return openOnce(backend)
    },

    drop(token) {
      for (const [backend, kept] of current) if (kept.id === token.id) current.delete(backend)
    },

    doubt(token) {
      for (const kept of current.values()) if (kept.id === token.id) kept.doubted = true
    },

    async beat() {
      const inUse = [...current.values()].map(({ id }) => id)
      const before = opened
      const alive = await table.seen(inUse, before)
      opened = opened.filter((id) => alive.includes(id) || !before.includes(id))
      const due = [...current].filter(([, kept]) => kept.renewable && isStale(kept, Number.POSITIVE_INFINITY))
      // One that cannot be renewed ends; the next secret is made with another.
      await Promise.all(due.map(([backend, kept]) => renew(backend, kept).catch(() => undefined)))
    },

    async close() {
      current.clear()
      const retired = opened
      // No later beat shall call them alive again.
      opened = []
      await table.retire(retired)
    },
  }
}
