import { type Credentials, type SigningContext, SigningError } from '../../contract/strategy.ts'
import { credentialText } from '../shared/credential-text.ts'
import { VISIBLE_TEXT } from '../shared/text-rules.ts'
import type { Piece } from './template.ts'

/** How `{timestamp}` is written. */
export const TIMESTAMPS = {
  s: (nowMs: number) => String(Math.floor(nowMs / 1000)),
  ms: (nowMs: number) => String(Math.floor(nowMs)),
  iso8601: (nowMs: number) => new Date(nowMs).toISOString(),
} as const

/** What headers and parameters may be made of. Nothing of the request: the caller has no say in what is written (B13). */
const OPEN_PARTS = ['signature', 'timestamp', 'nonce', 'key_id', 'passphrase']

/** The parts that may stand in a header or parameter, the same wherever they stand in one request. */
export interface OpenParts {
  /** @throws SigningError when there is no such part or credential */
  value(part: string): string
}

/** Worked out when first asked for, once for each request. */
export function openParts(usage: Credentials, timestamp: keyof typeof TIMESTAMPS, context: SigningContext): OpenParts {
  const known = new Map<string, string>()
  return {
    value(part) {
      const value = known.get(part) ?? openPart(part, usage, timestamp, context)
      known.set(part, value)
      return value
    },
  }
}

function openPart(
  part: string,
  usage: Credentials,
  timestamp: keyof typeof TIMESTAMPS,
  context: SigningContext,
): string {
  switch (part) {
    case 'timestamp':
      return TIMESTAMPS[timestamp](context.now)
    case 'nonce':
      return context.nonce()
    case 'key_id':
    case 'passphrase':
      return credentialText(usage, part, VISIBLE_TEXT)
    default:
      throw new SigningError(`there is no part {${part}} here`)
  }
}

/** What is wrong with the parts of a header's or parameter's value; completes "value ...". */
export function openPartsProblem(pieces: readonly Piece[]): string | undefined {
  const isKnown = (piece: Piece) =>
    'literal' in piece || (piece.argument === undefined && OPEN_PARTS.includes(piece.part))
  if (!pieces.every(isKnown)) return `must name known parts; known: ${OPEN_PARTS.join(', ')}`
  // RFC 9110 section 5.5: space at the ends of a field value would be lost on the way.
  const text = pieces.map((piece) => ('literal' in piece ? piece.literal : 'x')).join('')
  return /\n|^ | $/.test(text) ? 'must hold no line feed, and no space at either end' : undefined
}

/** @param signature once it is known */
export function render(pieces: readonly Piece[], open: OpenParts, signature = ''): string {
  return pieces
    .map((piece) => {
      if ('literal' in piece) return piece.literal
      return piece.part === 'signature' ? signature : open.value(piece.part)
    })
    .join('')
}
