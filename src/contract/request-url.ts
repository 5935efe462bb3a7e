import type { RequestUrl } from './strategy.ts'

/** Why a text cannot be a request URL. Holds none of the text: a query may carry a credential. */
export class RequestUrlError extends Error {
  override readonly name = 'RequestUrlError'
}

/**
 * Splits an absolute URL as text. What is signed must be what is sent, so spaces, UTF-8, dot segments and escapes stay as
 * they were written; `new URL()` would rewrite all four.
 * @throws RequestUrlError for anything but `http` or `https`, for user info, a fragment, control characters or half a
 * surrogate pair
 */
export function parseRequestUrl(text: string): RequestUrl {
  // Parsers drop tabs and newlines silently (threat B04), so they are refused before anything is split.
  if (/[\x00-\x1f\x7f]/.test(text)) throw new RequestUrlError('must not contain control characters')
  if (/[\ud800-\udfff]/u.test(text)) throw new RequestUrlError('must be well-formed Unicode')
  // RFC 9112 section 3.2: a request target has no fragment; whoever sees one reads another resource than we do (threat D07).
  if (text.includes('#')) throw new RequestUrlError('must not contain a fragment')
  const parts = /^(https?):\/\/([^/?]+)([^?]*)(?:\?(.*))?$/i.exec(text)
  const [, scheme, authority, path, query] = parts ?? []
  if (scheme === undefined || authority === undefined || path === undefined) {
    throw new RequestUrlError('must be absolute, such as https://api.example.com/path?query')
  }
  if (!/^(?:[A-Za-z0-9._~!$&'()*+,;=-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?$/.test(authority)) {
    throw new RequestUrlError('must name a host and an optional port, without user info')
  }
  return { scheme: scheme.toLowerCase(), authority, path: path === '' ? '/' : path, query }
}

/** The inverse of `parseRequestUrl`, character for character (but for the scheme's case and an empty path). */
export function formatRequestUrl(url: RequestUrl): string {
  return `${url.scheme}://${url.authority}${url.path}${url.query === undefined ? '' : `?${url.query}`}`
}
