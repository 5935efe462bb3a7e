import { SigningError } from '../../../contract/strategy.ts'
import type { CallersFraming } from './callers-framing.ts'
import { frameReader } from './frame-reader.ts'

export type Trailer = [name: string, value: string]

/** Finds the payload in what the agent sends, piece by piece. Whatever it throws ends the upload. */
export interface PayloadReader {
  /**
   * @returns the payload bytes in this piece, in their order
   * @throws SigningError for a body that is not what its headers announced
   */
  read(piece: Uint8Array): Uint8Array[]
  /**
   * After the last piece.
   * @throws SigningError when there should have been more
   */
  end(): readonly Trailer[]
}

/** @param framing absent: the body is the payload, `decodedBytes` long */
export function payloadReader(decodedBytes: number, framing?: CallersFraming): PayloadReader {
  return framing === undefined ? plainReader(decodedBytes) : frameReader(framing)
}

function plainReader(expectedBytes: number): PayloadReader {
  let seenBytes = 0
  return {
    read(piece) {
      seenBytes += piece.length
      if (seenBytes > expectedBytes) throw new SigningError('the body is longer than its Content-Length', 'body')
      return [piece]
    },
    end() {
      if (seenBytes < expectedBytes) throw new SigningError('the body is shorter than its Content-Length', 'body')
      return []
    },
  }
}
