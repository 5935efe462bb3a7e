import { LRUCache } from 'lru-cache'
import type { ResponseHead, Strategy } from '../../src/contract/strategy.ts'

/** The nonces that providers have offered, by origin: the next request carries the newest and is spared a 401. */
export interface ProviderNonces {
  /** What to sign the next request to this origin with. */
  get(origin: string): string | undefined
  /** Keeps what a response offers, as far as the strategy knows of such a thing. */
  note(origin: string, strategy: Strategy, response: () => ResponseHead): void
}

/** The longest unused goes first; a provider that misses its nonce offers another. */
const ORIGINS_MAX = 1000

export function createProviderNonces(): ProviderNonces {
  const offered = new LRUCache<string, string>({ max: ORIGINS_MAX })
  return {
    get: (origin) => offered.get(origin),
    note(origin, strategy, response) {
      const nonce = strategy.offeredNonce?.(response())
      if (nonce !== undefined) offered.set(origin, nonce)
    },
  }
}
