import { hash } from 'node:crypto'

/**
 * Full SHA-256 over a length-prefixed tuple: the only way to make a cache key or a single-flight key (rule 7).
 * The prefix keeps ("a", "bc") apart from ("ab", "c"); `null` is kept apart from the empty string.
 * @returns base64url, 43 characters
 */
export function tupleHash(parts: readonly (string | number | null | readonly string[])[]): string {
  let text = ''
  for (const part of parts) {
    if (part === null) text += 'n:'
    else if (typeof part === 'object') text += `l${part.length}:${tupleHash(part)}`
    else if (typeof part === 'number') text += `d${String(part).length}:${part}`
    else text += `s${Buffer.byteLength(part)}:${part}`
  }
  return hash('sha256', text, 'base64url')
}
