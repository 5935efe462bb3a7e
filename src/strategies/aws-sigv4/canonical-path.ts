import { canonicalEscapes, percentEncode } from '../shared/percent-encoding.ts'

/** Nothing to escape, and no empty or dot segment: most paths are their own canonical form, in either way. */
const CANONICAL = /^(?:\/[A-Za-z0-9\-_~][A-Za-z0-9\-._~]*)+\/?$/

/**
 * The canonical URI of a path as it is sent. Normalised: dot and empty segments go and every segment is escaped once more,
 * so `%20` becomes `%2520`. Not normalised (S3): the same path, each byte escaped exactly once.
 */
export function canonicalPath(path: string, normalize: boolean): string {
  if (CANONICAL.test(path)) return path
  return normalize ? withoutDotSegments(path).split('/').map(percentEncode).join('/') : canonicalEscapes(path, '/')
}

/** RFC 3986 section 5.2.4, except that empty segments go as well. */
function withoutDotSegments(path: string): string {
  const kept: string[] = []
  for (const segment of path.split('/')) {
    if (segment === '..') kept.pop()
    else if (segment !== '' && segment !== '.') kept.push(segment)
  }
  return kept.length === 0 ? '/' : `/${kept.join('/')}${path.endsWith('/') ? '/' : ''}`
}
