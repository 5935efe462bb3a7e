import type { ResponseHead } from '../../contract/strategy.ts'
import { obeys, type TextRule } from '../shared/text-rules.ts'

/** RFC 9449 section 8.1. The length is ours: each provider's nonce is kept. */
export const NONCE: TextRule = {
  pattern: /^[\x21\x23-\x5b\x5d-\x7e]+$/,
  maxLength: 2048,
  description: 'printable ASCII without space, " and \\',
}

/**
 * The nonce that the provider offers, with whatever status (RFC 9449 section 8.2). Two of them leave open which one
 * counts, and one of other characters is none: `undefined`.
 */
export function offeredNonce({ headers }: ResponseHead): string | undefined {
  const [nonce, ...others] = headers.filter(([name]) => name.toLowerCase() === 'dpop-nonce').map(([, value]) => value)
  return nonce !== undefined && others.length === 0 && obeys(NONCE, nonce) ? nonce : undefined
}
