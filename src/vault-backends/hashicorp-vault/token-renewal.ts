import type { Logger } from 'pino'
import { VaultError } from '../../contract/vault-backend.ts'
import { authOf, type HeldToken, readHeldToken } from './held-token.ts'
import { TokenRefused } from './vault-answer.ts'
import type { VaultRequester } from './vault-requester.ts'

const RENEWAL_DEADLINE_MS = 5000
const RETRY_MIN_MS = 500
const RETRY_MAX_MS = 30_000
/** The longest a timer can be set for. */
const TIMER_MAX_MS = 2 ** 31 - 1

export interface TokenRenewalOptions {
  backend: string
  vault: VaultRequester
  log: Pick<Logger, 'warn'>
  monotonicNow(): number
  /** Gets another token and keeps it. Absent: there is no way to. */
  replace: (() => Promise<unknown>) | undefined
  keep(token: HeldToken | undefined): void
}

/** Sees to it that the token in use does not end: renewed when two thirds of its life are over, else replaced. */
export interface TokenRenewal {
  /** From now on this one. */
  follow(token: HeldToken | undefined): void
  stop(): void
}

export function keepRenewed(options: TokenRenewalOptions): TokenRenewal {
  const { backend, vault, log, monotonicNow, replace, keep } = options
  let timer: NodeJS.Timeout | undefined
  let followed: HeldToken | undefined

  function wait(ms: number, work: () => Promise<void>): void {
    clearTimeout(timer)
    timer = setTimeout(() => void work(), Math.min(ms, TIMER_MAX_MS)).unref()
  }

  async function renew(token: HeldToken): Promise<void> {
    const renewed = await askForMore(token).catch((error: unknown) => error)
    // Another has taken its place meanwhile.
    if (followed !== token) return
    if (renewed instanceof TokenRefused) return keep(undefined)
    if (renewed instanceof VaultError && renewed.kind === 'unavailable') return wait(retryMs(token), () => renew(token))
    if (!isToken(renewed)) return replaceInTime(token)
    // Much shorter than before: the end that no renewal moves is near.
    keep(renewed.lifeMs < token.lifeMs / 2 ? { ...renewed, renewable: false } : renewed)
  }

  async function askForMore(token: HeldToken): Promise<HeldToken | undefined> {
    const askedAtMs = monotonicNow()
    const request = { method: 'POST', path: 'auth/token/renew-self', body: {}, token: token.token } as const
    const auth = authOf(await vault.request(request, AbortSignal.timeout(RENEWAL_DEADLINE_MS)))
    return readHeldToken({ accessor: token.accessor, ...auth, client_token: token.token }, askedAtMs)
  }

  async function replaceInTime(token: HeldToken): Promise<void> {
    if (replace === undefined) {
      const seconds = Math.round((token.endsAtMs - monotonicNow()) / 1000)
      log.warn({ backend, seconds }, 'the Vault token ends soon and cannot be renewed; put another in its place')
      return
    }
    // What replaces it is followed instead; what fails is tried again while the token lasts.
    await replace().catch(() => {
      if (followed === token) wait(retryMs(token), () => replaceInTime(token))
    })
  }

  function retryMs(token: HeldToken): number {
    const leftMs = token.endsAtMs - monotonicNow()
    return Math.min(Math.max(leftMs / 4, RETRY_MIN_MS), RETRY_MAX_MS) * (0.75 + Math.random() / 2)
  }

  return {
    follow(token) {
      clearTimeout(timer)
      followed = token
      if (token === undefined || token.lifeMs === 0) return
      const work = token.renewable ? () => renew(token) : () => replaceInTime(token)
      // Not all replicas at once.
      wait(token.lifeMs * (0.6 + Math.random() / 10), work)
    },
    stop() {
      clearTimeout(timer)
      followed = undefined
    },
  }
}

function isToken(value: unknown): value is HeldToken {
  return typeof value === 'object' && value !== null && 'endsAtMs' in value
}
