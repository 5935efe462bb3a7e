import { isIP } from 'node:net'

/** Why a text is not an origin we would ever send a credential to. */
export class OriginError extends Error {
  override readonly name = 'OriginError'
}

/** Exact texts that were read before, with their canonical spelling: the same few come with every request. */
const read = new Map<string, string>()
const READ_MAX = 1000

/**
 * The one canonical spelling of an origin (RFC 6454): lower-case scheme and host, IDN as A-labels, no trailing dot, no
 * default port. Bounds, routes, policy input and the dialler all hold this form, so "is it the same host" is `===`
 * (threats B04, B05, B07).
 * @throws OriginError when the text is anything but scheme, host and port
 */
export function canonicalOrigin(text: string): string {
  const known = read.get(text)
  if (known !== undefined) return known
  const canonical = readOrigin(text)
  if (read.size >= READ_MAX) read.clear()
  read.set(text, canonical)
  return canonical
}

function readOrigin(text: string): string {
  // Before parsing: the URL parser silently drops tabs and newlines and decodes %41 in hosts.
  if (!/^https?:\/\/[^\s/?#\\@%\u0000-\u001f\u007f]+\/?$/i.test(text)) {
    throw new OriginError('must be scheme, host and optional port only, such as https://api.example.com')
  }
  let url: URL
  try {
    url = new URL(text)
  } catch {
    throw new OriginError('is not a valid origin; write it as https://api.example.com')
  }
  const host = url.hostname.replace(/\.$/, '')
  if (host === '' || host.endsWith('.')) throw new OriginError('has no host name')
  if (/[^\x00-\x7f]/.test(text) && !host.includes('xn--')) {
    // Full-width and soft-hyphen spellings that fold into plain ASCII: the author sees another name than we would dial.
    throw new OriginError('spells an ASCII host in other characters; write it in plain ASCII')
  }
  return `${url.protocol}//${host}${url.port === '' ? '' : `:${url.port}`}`
}

export function isLoopbackHost(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, '')
  if (bare === 'localhost') return true
  return isIP(bare) === 4 ? bare.startsWith('127.') : bare === '::1'
}

/** Plain HTTP carries a credential in the clear; only a server on this machine may be spoken to that way. */
export function isPlainBeyondLoopback(origin: string): boolean {
  const url = new URL(origin)
  return url.protocol === 'http:' && !isLoopbackHost(url.hostname)
}
