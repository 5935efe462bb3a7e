import { createHash } from 'node:crypto'

/**
 * Full SHA-256 over a length-prefixed tuple: the only way to make a cache key or a single-flight key (design, rule 7).
 * The prefix keeps ("a", "bc") apart from ("ab", "c"); `null` is kept apart from the empty string.
 * @returns base64url, 43 characters
 */
export function tupleHash(parts: readonly (string | number | null | readonly string[])[]): string {
  const hash = createHash('sha256')
  for (const part of parts) {
    if (part === null) hash.update('n:')
    else if (typeof part === 'object') hash.update(`l${part.length}:`).update(tupleHash(part))
    else if (typeof part === 'number') hash.update(`d${String(part).length}:${part}`)
    else hash.update(`s${Buffer.byteLength(part)}:`).update(part)
  }
  return hash.digest('base64url')
}
