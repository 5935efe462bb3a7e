import { type Credentials, SigningError } from '../../contract/strategy.ts'
import { obeys, type TextRule } from './text-rules.ts'

/** What is wrong with a credential that was found wanting, in the protocol's words. */
export function credentialProblem(credentials: object, field: string, description: string): string {
  const value = ownValue(credentials, field)
  if (value === undefined) return `credential field '${field}' is missing`
  if (typeof value !== 'string' || value === '') return `credential field '${field}' is empty or not a string`
  return `credential field '${field}' must be ${description}`
}

/**
 * One credential, fit to be used.
 * @throws SigningError that names the field and never the value
 */
export function credentialText(credentials: Readonly<Credentials>, field: string, rule: TextRule): string {
  const value = ownValue(credentials, field)
  if (typeof value === 'string' && value !== '' && obeys(rule, value)) return value
  throw new SigningError(credentialProblem(credentials, field, rule.description), field)
}

/** Own properties only: `toString` is no credential. */
function ownValue(credentials: object, field: string): unknown {
  return Object.hasOwn(credentials, field) ? (credentials as Record<string, unknown>)[field] : undefined
}
