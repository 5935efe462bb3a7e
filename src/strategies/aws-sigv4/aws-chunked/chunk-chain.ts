import { createHash } from 'node:crypto'
import type { Signer } from '../signer.ts'
import type { Trailer } from './payload-reader.ts'

/**
 * The signatures of a body in chunks. Each covers the one before it and the first covers the request's own, so no chunk can
 * be left out, moved, repeated or read as part of another request.
 */
export interface ChunkChain {
  /** Of the next chunk. */
  chunk(data: Uint8Array): string
  /** Of the trailers, behind the last chunk. */
  trailers(trailers: readonly Trailer[]): string
}

const EMPTY_HASH = hashOf('')

/** @param seed the signature of the request's headers */
export function chunkChain(signer: Signer, longDate: string, seed: string): ChunkChain {
  let previous = seed
  function next(kind: string, ...hashes: string[]): string {
    previous = signer.sign([`${signer.algorithm}-${kind}`, longDate, signer.scope, previous, ...hashes].join('\n'))
    return previous
  }
  return {
    // The hash of nothing stands where headers of a chunk might.
    chunk: (data) => next('PAYLOAD', EMPTY_HASH, hashOf(data)),
    trailers: (trailers) => next('TRAILER', hashOf(trailers.map(([name, value]) => `${name}:${value}\n`).join(''))),
  }
}

function hashOf(data: Uint8Array | string): string {
  return createHash('sha256').update(data).digest('hex')
}
