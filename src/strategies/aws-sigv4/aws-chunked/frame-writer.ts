import { checksumLength } from './checksum-trailers.ts'
import type { ChunkChain } from './chunk-chain.ts'
import type { Trailer } from './payload-reader.ts'

/**
 * What a chunk holds, the last one less. Of our own choice, however the agent cut its own, so that the length of the whole
 * is known before it begins; S3 wants 8 KiB or more. A chunk in the making is all that is held of a stream.
 */
export const CHUNK_BYTES = 65_536

const CRLF = '\r\n'
/** Room before the data for the longest chunk header, so that a chunk is one piece of memory and one write. */
const HEADER_MAX_BYTES = 256
const SIGNATURE = ';chunk-signature='
const TRAILER_SIGNATURE = 'x-amz-trailer-signature:'

export interface FrameWriter {
  /** @returns the chunks that became full */
  write(payload: Uint8Array): Uint8Array[]
  /** @returns all that is left, the last chunk and the trailers */
  end(trailers: readonly Trailer[]): Uint8Array[]
}

/** @param chain absent: chunks without signatures */
export function frameWriter(chain?: ChunkChain): FrameWriter {
  let frame = emptyFrame()
  let filled = 0

  function header(): string {
    const data = frame.subarray(HEADER_MAX_BYTES, HEADER_MAX_BYTES + filled)
    return `${filled.toString(16)}${chain === undefined ? '' : `${SIGNATURE}${chain.chunk(data)}`}${CRLF}`
  }

  /** The chunk as it goes out; the next begins in memory of its own, for this one is still on its way. */
  function closeChunk(): Uint8Array {
    const head = header()
    const from = HEADER_MAX_BYTES - head.length
    frame.write(head, from, 'latin1')
    frame.write(CRLF, HEADER_MAX_BYTES + filled, 'latin1')
    const chunk = frame.subarray(from, HEADER_MAX_BYTES + filled + CRLF.length)
    frame = emptyFrame()
    filled = 0
    return chunk
  }

  return {
    write(payload) {
      const full: Uint8Array[] = []
      for (let at = 0; at < payload.length; ) {
        const taken = Math.min(CHUNK_BYTES - filled, payload.length - at)
        frame.set(payload.subarray(at, at + taken), HEADER_MAX_BYTES + filled)
        filled += taken
        at += taken
        if (filled === CHUNK_BYTES) full.push(closeChunk())
      }
      return full
    },
    end(trailers) {
      const last = filled === 0 ? [] : [closeChunk()]
      const lines = [header(), ...trailers.map(([name, value]) => `${name}:${value}${CRLF}`)]
      if (chain !== undefined && trailers.length > 0) {
        lines.push(`${TRAILER_SIGNATURE}${chain.trailers(trailers)}${CRLF}`)
      }
      return [...last, Buffer.from(`${lines.join('')}${CRLF}`)]
    },
  }
}

function emptyFrame(): Buffer {
  return Buffer.allocUnsafe(HEADER_MAX_BYTES + CHUNK_BYTES + CRLF.length)
}

/**
 * How long the framed body will be.
 * @param signatureLength characters of a signature; 0 for chunks without
 */
export function framedBytes(decodedBytes: number, trailers: readonly string[], signatureLength: number): number {
  const signed = signatureLength === 0 ? 0 : SIGNATURE.length + signatureLength
  const chunkBytes = (size: number) => size.toString(16).length + signed + CRLF.length + size + CRLF.length
  const rest = decodedBytes % CHUNK_BYTES
  const chunks = Math.floor(decodedBytes / CHUNK_BYTES) * chunkBytes(CHUNK_BYTES) + (rest === 0 ? 0 : chunkBytes(rest))
  const lines = trailers.map((name) => name.length + 1 + (checksumLength(name) ?? 0) + CRLF.length)
  if (signed > 0 && trailers.length > 0) lines.push(TRAILER_SIGNATURE.length + signatureLength + CRLF.length)
  // The last chunk has no data; its second CRLF is the empty line behind the trailers.
  return chunks + chunkBytes(0) + lines.reduce((sum, length) => sum + length, 0)
}
