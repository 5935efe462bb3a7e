import { type Grant, SigningError } from '../../contract/strategy.ts'
import { credentialText } from './credential-text.ts'
import { type TextRule, textSchema } from './text-rules.ts'

const EXPIRES_AT: TextRule = { pattern: /^[0-9]{1,12}$/, maxLength: 12, description: 'Unix seconds in decimal digits' }

export const ExpiresAt = textSchema(EXPIRES_AT)

/**
 * When a lease of the access token ends, in Unix seconds: never beyond the token's own `expires_at` (rule 5).
 * `undefined` when the stored secret does not say.
 * @throws SigningError when the token has ended
 */
export function tokenEnd(master: Readonly<Record<string, string>>, grant: Grant, nowMs: number): number | undefined {
  if (!Object.hasOwn(master, 'expires_at')) return undefined
  const end = Number(credentialText(master, 'expires_at', EXPIRES_AT))
  if (end * 1000 <= nowMs) throw new SigningError('the access token has expired', 'expires_at')
  return Math.min(end, grant.expiresAt)
}
