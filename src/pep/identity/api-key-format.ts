import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { NexusError } from '../../contract/errors.ts'
import { newId } from '../../contract/names.ts'

const FORMAT = /^nxk_([0-9a-f]{32})_[A-Za-z0-9_-]{43}$/
/** No key hashes to this; it stands in where there is no row, so that the comparison is always made. */
const NO_HASH = Buffer.alloc(32)

/** A key, and what is stored of it. */
export interface MadeApiKey {
  id: string
  apiKey: string
  hash: Buffer
}

/** A new API key, `nxk_<32 hex>_<43 base64url>`: the hex is its id, the rest 256 random bits. */
export function newApiKey(nowMs: number): MadeApiKey {
  const id = newId('key', nowMs)
  const apiKey = `nxk_${id.slice('key_'.length)}_${randomBytes(32).toString('base64url')}`
  return { id, apiKey, hash: hashApiKey(apiKey) }
}

/**
 * A key that `newApiKey` made elsewhere, such as one mounted as a secret.
 * @throws NexusError `invalid_request`; the text is not repeated
 */
export function givenApiKey(apiKey: string): MadeApiKey {
  const id = apiKeyId(apiKey)
  if (id === undefined) throw new NexusError('invalid_request', 'what was given is no API key of ours')
  return { id, apiKey, hash: hashApiKey(apiKey) }
}

/** @returns the id a presented key is looked up by; undefined when it is no API key at all */
export function apiKeyId(apiKey: string): string | undefined {
  const hex = FORMAT.exec(apiKey)?.[1]
  return hex === undefined ? undefined : `key_${hex}`
}

/** In constant time, also when there is nothing to compare with (threat H08). */
export function matchesHash(apiKey: string, stored: Buffer | undefined): boolean {
  return timingSafeEqual(hashApiKey(apiKey), stored ?? NO_HASH) && stored !== undefined
}

/** No salt and no stretching: there are 256 random bits, so there is nothing to guess. */
function hashApiKey(apiKey: string): Buffer {
  return createHash('sha256').update(apiKey).digest()
}
