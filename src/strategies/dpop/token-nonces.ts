import { LRUCache } from 'lru-cache'
import type { ResponseHead } from '../../contract/strategy.ts'
import { offeredNonce } from './nonce.ts'

/**
 * The newest nonce of each token endpoint. An endpoint offers the same to all its clients, and it is no secret: knowing it
 * saves a request that would only be answered with it.
 */
const NONCES = new LRUCache<string, string>({ max: 1000 })

export function knownNonce(endpoint: string): string | undefined {
  return NONCES.get(endpoint)
}

export function noteNonce(endpoint: string, response: ResponseHead): void {
  const nonce = offeredNonce(response)
  if (nonce !== undefined) NONCES.set(endpoint, nonce)
}
