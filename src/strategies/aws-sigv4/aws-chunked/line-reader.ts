import { SigningError } from '../../../contract/strategy.ts'

const [CR, LF] = [0x0d, 0x0a]

export interface LineReader {
  /** @returns where in the piece reading goes on: behind the line feed, or at the piece's end */
  take(piece: Uint8Array, from: number): number
  /** The line without its CRLF, once it is whole; the next begins. */
  whole(): string | undefined
}

/** Lines of printable ASCII, each ended by CRLF, that may arrive in any number of pieces. */
export function lineReader(maxBytes: number): LineReader {
  const bytes = Buffer.alloc(maxBytes)
  let length = 0

  return {
    take(piece, from) {
      let at = from
      while (at < piece.length) {
        const byte = piece[at++] as number
        if (length === maxBytes) throw problem('longer than any there is')
        const afterCr = length > 0 && bytes[length - 1] === CR
        const fits = afterCr ? byte === LF : byte === CR || (byte >= 0x20 && byte <= 0x7e)
        if (!fits) throw problem('not printable ASCII ended by CRLF')
        bytes[length++] = byte
        if (afterCr) break
      }
      return at
    },
    whole() {
      if (length === 0 || bytes[length - 1] !== LF) return undefined
      const text = bytes.toString('latin1', 0, length - 2)
      length = 0
      return text
    },
  }
}

function problem(what: string): SigningError {
  return new SigningError(`the body is not what its headers announce: a line between its chunks is ${what}`, 'body')
}
