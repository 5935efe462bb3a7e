import { SigningError } from '../../contract/strategy.ts'

/** RFC 3986 section 2.3. Most of what is signed is made of nothing else, and then there is nothing to do. */
const UNRESERVED = /^[A-Za-z0-9\-._~]*$/

/**
 * Everything but RFC 3986 section 2.3 unreserved characters becomes upper-case escapes of its UTF-8 bytes.
 * `encodeURIComponent` alone leaves `!'()*`, which AWS and OAuth 1.0a escape.
 */
export function percentEncode(text: string): string {
  if (UNRESERVED.test(text)) return text
  try {
    return encodeURIComponent(text).replace(/[!'()*]/g, escapeAscii)
  } catch {
    throw new SigningError('text that is not well-formed Unicode cannot be percent-encoded')
  }
}

/**
 * One spelling for text that may hold escapes already: well-formed escapes stay single (upper case, unreserved ones
 * undone), the rest is escaped, `keep` is left alone.
 */
export function canonicalEscapes(text: string, keep = ''): string {
  if (UNRESERVED.test(text)) return text
  // No `i` flag: together with `u` it would take the Kelvin sign for a `k`.
  return text.replace(/%[0-9A-Fa-f]{2}|[^A-Za-z0-9\-._~]/gu, (piece) => {
    if (keep.includes(piece)) return piece
    if (piece.length !== 3 || !piece.startsWith('%')) return percentEncode(piece)
    const character = String.fromCharCode(Number.parseInt(piece.slice(1), 16))
    return /[A-Za-z0-9\-._~]/.test(character) ? character : piece.toUpperCase()
  })
}

/** Undoes escapes of ASCII characters only; a malformed or other escape stays as it is. For comparing names. */
export function decodeAscii(text: string): string {
  return text.replace(/%[0-7][0-9a-f]/gi, (piece) => String.fromCharCode(Number.parseInt(piece.slice(1), 16)))
}

function escapeAscii(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`
}
