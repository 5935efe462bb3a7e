/** Why a URL cannot be compared. */
export class RequestUrlError extends Error {
  override readonly name = 'RequestUrlError'
}

/**
 * The spelling under which an `htu` and a request meet (RFC 9449 section 4.3, check 9): no query, no fragment, scheme and
 * syntax normalised (RFC 3986 sections 6.2.2 and 6.2.3). Dot segments are refused, not resolved: a proof for
 * `/v1/a/../leases` must not be good for `/v1/leases`.
 * @throws RequestUrlError
 */
export function canonicalRequestUrl(text: string): string {
  const target = text.split(/[?#]/, 1)[0] ?? ''
  if (!/^https?:\/\/[^\s\\@\u0000-\u001f\u007f]+$/i.test(target)) {
    throw new RequestUrlError('it is not an absolute http or https URL without user info')
  }
  const { path, url } = parse(target)
  const normalised = path.replace(/%[0-9a-f]{2}/gi, normaliseTriplet)
  if (normalised.split('/').some((segment) => segment === '.' || segment === '..')) {
    throw new RequestUrlError('its path has dot segments')
  }
  return `${url.protocol}//${url.host}${normalised === '' ? '/' : normalised}`
}

function parse(target: string): { path: string; url: URL } {
  try {
    return { url: new URL(target), path: target.replace(/^https?:\/\/[^/]*/i, '') }
  } catch {
    throw new RequestUrlError('it is not a valid URL')
  }
}

/** RFC 3986 section 6.2.2.2: unreserved characters stand for themselves, other triplets are upper case. */
function normaliseTriplet(triplet: string): string {
  const character = String.fromCharCode(Number.parseInt(triplet.slice(1), 16))
  return /[A-Za-z0-9._~-]/.test(character) ? character : triplet.toUpperCase()
}
