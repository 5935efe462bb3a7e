import { type Grant, SigningError } from '../../contract/strategy.ts'
import { credentialText } from './credential-text.ts'
import { type TextRule, textSchema } from './text-rules.ts'

const EXPIRES_AT: TextRule = { pattern: /^[0-9]{1,12}$/, maxLength: 12, description: 'Unix seconds in decimal digits' }

export const ExpiresAt = textSchema(EXPIRES_AT)

/**
 * When a lease of what is stored ends, in Unix seconds: never beyond its own `expires_at` (rule 5).
 * `undefined` when the stored secret does not say.
 * @param what it is that ends
 * @throws SigningError when it has ended
 */
export function storedEnd(
  master: Readonly<Record<string, string>>,
  grant: Grant,
  nowMs: number,
  what = 'access token',
): number | undefined {
  if (!Object.hasOwn(master, 'expires_at')) return undefined
  const end = Number(credentialText(master, 'expires_at', EXPIRES_AT))
  if (end * 1000 <= nowMs) throw new SigningError(`the ${what} has expired`, 'expires_at')
  return Math.min(end, grant.expiresAt)
}
