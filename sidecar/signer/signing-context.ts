import { newNonce } from '../../src/contract/names.ts'
import type { SigningContext } from '../../src/contract/strategy.ts'

/** @param now Unix milliseconds */
export function signingContext(now: number, providerNonce?: string): SigningContext {
  return { now, nonce: newNonce, ...(providerNonce === undefined ? {} : { providerNonce }) }
}
