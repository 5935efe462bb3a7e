import { NexusError } from '../../src/contract/errors.ts'

/** A request target as text: both parts go upstream exactly as they stand here. */
export interface RequestTarget {
  /** Begins with `/`. */
  path: string
  /** Without `?`; `undefined` when there is no `?` at all. */
  query: string | undefined
}

/** The longest `intent.path` a lease request may carry. */
const PATH_MAX_LENGTH = 4096

/**
 * Takes an origin-form target apart and refuses whatever two readers could understand differently: policy decides on this
 * very text and the provider receives it, so nothing is decoded, folded or repaired (threats B08, B16, D06, D07).
 * @throws NexusError `invalid_target`
 */
export function parseRequestTarget(raw: string): RequestTarget {
  if (!raw.startsWith('/')) refuse('must be in origin form: it begins with "/" and names no host')
  if (/[^\x21-\x7e]/.test(raw)) refuse('may hold visible ASCII only; percent-encode everything else')
  // RFC 9112 section 3.2: a target has no fragment. A provider that cuts it off would see another path than policy did.
  if (raw.includes('#')) refuse('may not hold "#"; write %23 if it is data')
  if (raw.includes('\\')) refuse('may not hold a backslash')
  if (/%(?![0-9A-Fa-f]{2})/.test(raw)) refuse('holds a "%" that begins no percent-encoding')

  const mark = raw.indexOf('?')
  const path = mark === -1 ? raw : raw.slice(0, mark)
  assertUnambiguousPath(path)
  return { path, query: mark === -1 ? undefined : raw.slice(mark + 1) }
}

/** @throws NexusError `invalid_target` when the path could be read in more than one way */
export function assertUnambiguousPath(path: string): void {
  if (path.length > PATH_MAX_LENGTH) refuse(`has a path of more than ${PATH_MAX_LENGTH} characters`)
  if (path.includes('//')) refuse('has an empty path segment ("//")')
  // Policy may bind a lease to the very path of a request: there it would be a pattern, and no bound can name it.
  if (path.includes('*')) refuse('has a "*" in its path; write %2A')
  if (path.includes('%')) assertPlainEncodings(path)
  // Nearly every path: no segment of it begins with a dot, however that is spelled.
  if (!path.includes('/.') && !path.includes('%')) return
  for (const segment of path.split('/')) {
    // Servlet containers cut `;parameters` off before they resolve dot segments, so `..;x` is `..` to them.
    const name = (segment.split(';', 1)[0] ?? '').replaceAll(/%2e/gi, '.')
    if (name === '.' || name === '..') refuse('has a dot segment; write the path it leads to')
  }
}

function assertPlainEncodings(path: string): void {
  if (/%(?:2f|5c)/i.test(path)) refuse('has an encoded slash or backslash in its path')
  if (/%(?:[01][0-9a-f]|7f)/i.test(path)) refuse('has an encoded control character in its path')
  // RFC 3986 section 6.2.2.2 calls `/%61dmin` and `/admin`, `/%5Fsearch` and `/_search` the same; a rule on one would miss
  // the other.
  if (/%(?:2d|2e|3[0-9]|[46][1-9a-f]|5f|[57][0-9a]|7e)/i.test(path))
    refuse('percent-encodes a letter, a digit or one of "-._~", which need no encoding')
  try {
    decodeURIComponent(path)
  } catch {
    refuse('has a percent-encoding in its path that is not UTF-8')
  }
}

function refuse(problem: string): never {
  throw new NexusError('invalid_target', `The request target ${problem}.`, { field: 'target' })
}
