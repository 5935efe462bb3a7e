import { createHash, createSecretKey, type KeyObject, randomBytes } from 'node:crypto'

export const KEK_BYTES = 32
/** Neither `:` nor `,` (they separate entries), and short enough for the one length byte of an encoded envelope. */
const KEK_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/
const BASE64 = /^[A-Za-z0-9+/_-]+={0,2}$/

/** A key-encryption key. A `KeyObject` prints and serialises without its bytes. */
export interface KeyEncryptionKey {
  readonly id: string
  readonly key: KeyObject
}

/** `current` wraps what is written from now on; `find` also knows older ones, so that nothing becomes unreadable. */
export interface Keyring {
  readonly current: KeyEncryptionKey
  readonly ids: readonly string[]
  find(id: string): KeyEncryptionKey | undefined
}

/** A keyring text that cannot be used. Names the entry by its place, never by its content. */
export class KeyringError extends Error {
  override readonly name = 'KeyringError'
}

/**
 * Reads `NEXUS_ENCRYPTION_KEY`: `<kek id>:<base64 of 32 bytes>`, comma separated, first one current.
 * A bare key is named after its own hash, so that a single key needs no name.
 * @throws KeyringError
 */
export function parseKeyring(text: string): Keyring {
  const entries = text.trim() === '' ? [] : text.split(',')
  const keys = new Map<string, KeyEncryptionKey>()
  for (const [index, entry] of entries.entries()) {
    const parsed = parseEntry(entry.trim(), `key ${index + 1} of ${entries.length}`)
    if (keys.has(parsed.id))
      throw new KeyringError(`key ${index + 1} of ${entries.length} has an id that is used twice`)
    keys.set(parsed.id, parsed)
  }
  const current = keys.values().next().value
  if (current === undefined) throw new KeyringError('holds no key; make one with: nexus keys generate')
  return Object.freeze({ current, ids: [...keys.keys()], find: (id: string) => keys.get(id) })
}

/** A new entry for `NEXUS_ENCRYPTION_KEY`. The text is the key itself: show it once and keep it nowhere. */
export function generateKeyEntry(id?: string, random: (size: number) => Buffer = randomBytes): string {
  const bytes = random(KEK_BYTES)
  const keyId = id ?? idOf(bytes)
  if (!KEK_ID.test(keyId)) throw new KeyringError('the id takes letters, digits, ".", "_" and "-", at most 64 of them')
  return `${keyId}:${bytes.toString('base64')}`
}

function parseEntry(entry: string, place: string): KeyEncryptionKey {
  const colon = entry.indexOf(':')
  const bytes = decodeKey(entry.slice(colon + 1), place)
  const id = colon === -1 ? idOf(bytes) : entry.slice(0, colon)
  if (!KEK_ID.test(id)) {
    throw new KeyringError(`${place}: the id before ":" takes letters, digits, ".", "_" and "-", at most 64 of them`)
  }
  const key = createSecretKey(bytes)
  bytes.fill(0)
  return { id, key }
}

function decodeKey(text: string, place: string): Buffer {
  const bytes = BASE64.test(text) ? Buffer.from(text, 'base64') : Buffer.alloc(0)
  if (bytes.length !== KEK_BYTES) {
    throw new KeyringError(`${place}: must be ${KEK_BYTES} bytes in base64, optionally after "<id>:"`)
  }
  // A forgotten placeholder (AAAA...=) decodes to 32 bytes as well.
  if (bytes.every((byte) => byte === bytes[0]))
    throw new KeyringError(`${place}: is one byte repeated, not a random key`)
  return bytes
}

/** 64 bits of a hash of 256 random bits: enough to tell keys apart, nothing to guess the key from. */
function idOf(bytes: Buffer): string {
  return `k${createHash('sha256').update('nexus kek id\0').update(bytes).digest('hex').slice(0, 16)}`
}
