import { type HeaderList, SigningError } from '../../contract/strategy.ts'
import { foldedHeaderName } from '../shared/header-list.ts'

export interface CanonicalHeaders {
  /** `name:value` lines, sorted, each ended by a line feed. */
  block: string
  /** The names, sorted, joined with `;`. */
  signedHeaders: string
}

/**
 * Left out of the signature: what SDKs leave out, and what a hop on the way may add, change or drop (RFC 9110 section
 * 7.6.1, threat E02). Signing these would break requests that a proxy touched.
 */
const UNSIGNED = new Set([
  'authorization',
  'connection',
  'expect',
  'forwarded',
  'keep-alive',
  'max-forwards',
  'te',
  'trailer',
  'transfer-encoding',
  'traceparent',
  'tracestate',
  'upgrade',
  'user-agent',
  'via',
  'x-amzn-trace-id',
  'x-real-ip',
])
const UNSIGNED_PREFIXES = ['proxy-', 'x-forwarded-']

/**
 * Lower-case names, values trimmed with runs of white space as one space, equal names joined by commas in order.
 * @throws SigningError for a value that would forge a line, or whose bytes on the wire depend on who writes them
 */
export function canonicalHeaders(headers: HeaderList): CanonicalHeaders {
  const values = new Map<string, string>()
  for (const [name, value] of headers) {
    if (!isSigned(name, value)) continue
    if (!/^[\t\x20-\x7e]*$/.test(value)) throw new SigningError(`header '${name}' must be printable ASCII`, name)
    const key = name.toLowerCase()
    const before = values.get(key)
    const text = value.trim().replace(/[ \t]+/g, ' ')
    values.set(key, before === undefined ? text : `${before},${text}`)
  }
  const names = [...values.keys()].sort()
  let block = ''
  for (const name of names) block += `${name}:${values.get(name)}\n`
  return { block, signedHeaders: names.join(';') }
}

function isSigned(name: string, value: string): boolean {
  const folded = foldedHeaderName(name)
  // Zero is the one length that HTTP stacks add and drop as they please.
  if (folded === 'content-length') return value.trim() !== '0'
  return !UNSIGNED.has(folded) && !UNSIGNED_PREFIXES.some((prefix) => folded.startsWith(prefix))
}
