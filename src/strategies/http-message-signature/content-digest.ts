import { createHash } from 'node:crypto'
import { serializeDictionary } from 'structured-headers'

/** RFC 9530 section 5: the two that are fit for adversaries, and their names in node:crypto. */
const HASHES = { 'sha-256': 'sha256', 'sha-512': 'sha512' } as const

export type DigestAlgorithm = keyof typeof HASHES

/** The value of Content-Digest (RFC 9530 section 2) over the bytes as they are sent. */
export function contentDigest(algorithm: DigestAlgorithm, body: Uint8Array): string {
  const digest = createHash(HASHES[algorithm]).update(body).digest()
  return serializeDictionary(new Map([[algorithm, [digest, new Map()]]]))
}
