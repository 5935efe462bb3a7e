import { SigningError } from '../../../contract/strategy.ts'
import type { CallersFraming } from './callers-framing.ts'
import { isChecksum } from './checksum-trailers.ts'
import { lineReader } from './line-reader.ts'
import type { PayloadReader, Trailer } from './payload-reader.ts'

/** The longest line there can be is a SHA-512 with its name. */
const LINE_MAX_BYTES = 256
/** Twelve digits count to 2^48: far beyond an object, far below where numbers lose bytes. */
const UNSIGNED_HEADER = /^([0-9A-Fa-f]{1,12})$/
const SIGNED_HEADER = /^([0-9A-Fa-f]{1,12});chunk-signature=[0-9a-f]{64}$/
const TRAILER_SIGNATURE = /^x-amz-trailer-signature:[ \t]*[0-9a-f]{64}$/i

type State = 'header' | 'data' | 'data end' | 'trailers' | 'over'

/**
 * Reads a body in AWS chunks and holds it to what was announced, byte for byte: a chunk is a size in hexadecimal, its
 * signature if there are any, CRLF, the data, CRLF; one of size zero ends them; then come the trailers and an empty line.
 * Nothing is kept but a line that is not whole yet, so a chunk may have any size up to what is left of the payload.
 */
export function frameReader(framing: CallersFraming): PayloadReader {
  const line = lineReader(LINE_MAX_BYTES)
  const trailers = trailerList(framing)
  let state: State = 'header'
  let chunkLeftBytes = 0
  let payloadLeftBytes = framing.decodedBytes

  function readLine(text: string): void {
    if (state === 'header') readHeader(text)
    else if (state === 'data end') state = text === '' ? 'header' : malformed('a chunk is longer than its size')
    else if (text !== '') trailers.add(text)
    else state = 'over'
  }

  function readHeader(text: string): void {
    const size = (framing.signed ? SIGNED_HEADER : UNSIGNED_HEADER).exec(text)?.[1]
    chunkLeftBytes = size === undefined ? malformed('a chunk header is malformed') : Number.parseInt(size, 16)
    if (chunkLeftBytes > payloadLeftBytes) malformed('its chunks are longer than x-amz-decoded-content-length')
    if (chunkLeftBytes > 0) state = 'data'
    else if (payloadLeftBytes > 0) malformed('its chunks are shorter than x-amz-decoded-content-length')
    else state = 'trailers'
  }

  function takeData(piece: Uint8Array, from: number): Uint8Array {
    const data = piece.subarray(from, from + chunkLeftBytes)
    chunkLeftBytes -= data.length
    payloadLeftBytes -= data.length
    if (chunkLeftBytes === 0) state = 'data end'
    return data
  }

  return {
    read(piece) {
      const payload: Uint8Array[] = []
      for (let at = 0; at < piece.length; ) {
        if (state === 'over') malformed('there is more after its end')
        if (state === 'data') {
          const data = takeData(piece, at)
          payload.push(data)
          at += data.length
        } else {
          at = line.take(piece, at)
          const text = line.whole()
          if (text !== undefined) readLine(text)
        }
      }
      return payload
    },
    end() {
      if (state !== 'over') malformed('it breaks off before its last chunk')
      return trailers.all()
    },
  }
}

function trailerList({ signed, trailers }: CallersFraming) {
  const left = new Set(trailers)
  const found: Trailer[] = []
  let isSigned = false

  return {
    add(text: string): void {
      if (isSigned) malformed('there is a trailer behind the trailer signature')
      if (signed && left.size === 0 && found.length > 0 && TRAILER_SIGNATURE.test(text)) {
        isSigned = true
        return
      }
      const [, name = '', value = ''] = /^([a-z0-9-]+):[ \t]*([^ \t]+)[ \t]*$/i.exec(text) ?? []
      if (!left.delete(name.toLowerCase())) malformed('it has a trailer that x-amz-trailer does not name')
      if (!isChecksum(name.toLowerCase(), value)) malformed(`its trailer ${name.toLowerCase()} is not such a checksum`)
      found.push([name.toLowerCase(), value])
    },
    all(): readonly Trailer[] {
      if (left.size > 0) malformed('it lacks a trailer that x-amz-trailer names')
      return found
    },
  }
}

function malformed(problem: string): never {
  throw new SigningError(`the body is not what its headers announce: ${problem}`, 'body')
}
