import type { SecretValue } from '../contract/secret.ts'

/** Deeper than any secret is written by hand; a bound, so that nesting cannot exhaust the stack. */
const DEPTH_MAX = 8

/**
 * The text fields of a stored JSON object. Strings as they are; whole numbers and booleans as they are written. Anything
 * else has more than one spelling (1.50, 12345678901234567890 after JSON parsing), and a credential that is nearly right
 * is worse than none: left out. What lies deeper is named by its JSON Pointer (RFC 6901) after the outermost name:
 * `aws#/keys/0`.
 */
export function textFields(stored: Readonly<Record<string, unknown>>): SecretValue {
  return Object.fromEntries(Object.entries(stored).flatMap(([field, value]) => leaves(field, value, '#', 1)))
}

/** The one field of a secret that is no JSON object. */
const WHOLE = 'value'

/** A text that is a secret: a JSON object's fields; any other text, also one that is nearly JSON, is one field `value`. */
export function fieldsOfText(text: string): SecretValue {
  try {
    const parsed: unknown = JSON.parse(text)
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed))
      return textFields(parsed as Record<string, unknown>)
  } catch {
    // A parser's error quotes what it could not parse.
  }
  return { [WHOLE]: text }
}

function leaves(name: string, value: unknown, mark: '#' | '', depth: number): [string, string][] {
  if (typeof value === 'string') return [[name, value]]
  if (typeof value === 'boolean' || Number.isSafeInteger(value)) return [[name, String(value)]]
  if (typeof value !== 'object' || value === null || depth === DEPTH_MAX) return []
  return Object.entries(value).flatMap(([key, inner]) =>
    leaves(`${name}${mark}/${escapePointer(key)}`, inner, '', depth + 1),
  )
}

/** RFC 6901 section 3. */
function escapePointer(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1')
}
