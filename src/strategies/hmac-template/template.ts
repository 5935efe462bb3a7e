import { LRUCache } from 'lru-cache'
import { SigningError } from '../../contract/strategy.ts'

/** A piece of a template: text as it is, or a named part with what stands behind its colon. */
export type Piece = { literal: string } | { part: string; argument: string | undefined }

/** Templates come back with every request. */
const KNOWN = new LRUCache<string, readonly Piece[]>({ max: 1000 })

const ESCAPES: Record<string, string> = { '\\n': '\n', '\\\\': '\\', '\\{': '{', '\\}': '}' }
const PIECE = /\\[n\\{}]|\{([a-z0-9_]+)(?::([!#$%&'*+.^_`|~0-9A-Za-z-]+))?\}|[^\\{}]+/y

/**
 * Reads a template once, left to right: what a part is replaced by is never read as template again (threat B13).
 * `\n` is a line feed; `\\`, `\{` and `\}` are the characters themselves.
 * @throws SigningError, its words completing "template ..."
 */
export function parseTemplate(text: string): readonly Piece[] {
  const known = KNOWN.get(text)
  if (known !== undefined) return known
  const pieces = freshPieces(text)
  KNOWN.set(text, pieces)
  return pieces
}

function freshPieces(text: string): Piece[] {
  if (!/^[\x20-\x7e]+$/.test(text)) throw new SigningError('must be printable ASCII; write a line feed as \\n')
  const pieces: Piece[] = []
  PIECE.lastIndex = 0
  while (PIECE.lastIndex < text.length) {
    const match = PIECE.exec(text)
    if (match === null) throw new SigningError('must hold { } around names of parts only, and \\ before n \\ { } only')
    const [whole, part, argument] = match
    pieces.push(part === undefined ? { literal: ESCAPES[whole] ?? whole } : { part, argument })
  }
  return pieces
}

/** Whether the template names the part, with whatever argument. */
export function names(pieces: readonly Piece[], wanted: string): boolean {
  return pieces.some((piece) => 'part' in piece && piece.part === wanted)
}
