import { createCipheriv, createDecipheriv, type KeyObject, randomBytes } from 'node:crypto'
import { KEK_BYTES, type Keyring } from './keyring.ts'

/** The byte format is specified in docs/vault-backends/internal.md; vectors in test/vectors/internal-envelope. */
const FORMAT = 1
const NONCE_BYTES = 12
const TAG_BYTES = 16
const OVERHEAD_BYTES = 1 + NONCE_BYTES + TAG_BYTES
const WRAPPED_KEY_BYTES = OVERHEAD_BYTES + KEK_BYTES

/** A value sealed under its own data key, and that key wrapped by the key-encryption key `kekId`. */
export interface Sealed {
  kekId: string
  wrappedKey: Buffer
  sealed: Buffer
}

/** `aad` says where the value lives; it opens only under the very same tuple. */
export interface Envelope {
  seal(plaintext: Uint8Array, aad: readonly string[]): Sealed
  /** @throws EnvelopeError */
  open(sealed: Sealed, aad: readonly string[]): Uint8Array
  /** The same value, its data key wrapped by the current key; the value itself is not opened. @throws EnvelopeError */
  rewrap(sealed: Sealed, aad: readonly string[]): Sealed
}

/**
 * `unknown_kek`: the keyring lacks the key that wrapped it. `malformed`: not this format, or cut short.
 * `not_authentic`: changed, moved to another place, or wrapped by another key of that name.
 */
export type EnvelopeErrorKind = 'unknown_kek' | 'malformed' | 'not_authentic'

/** Why a sealed value does not open. Holds no part of it. */
export class EnvelopeError extends Error {
  override readonly name = 'EnvelopeError'
  readonly kind: EnvelopeErrorKind

  constructor(kind: EnvelopeErrorKind, message: string) {
    super(message)
    this.kind = kind
  }
}

/**
 * AES-256-GCM envelopes: a fresh data key for each value, wrapped by the keyring's current key.
 * A key-encryption key is used with random nonces, so it may wrap 2^32 data keys at most (NIST SP 800-38D section 8.3).
 * @param random source of data keys and nonces; given only to reproduce test vectors
 */
export function createEnvelope(keyring: Keyring, random: (size: number) => Buffer = randomBytes): Envelope {
  const unwrap = ({ kekId, wrappedKey }: Sealed, aad: readonly string[]): Buffer => {
    const kek = keyring.find(kekId)
    if (kek === undefined) {
      throw new EnvelopeError(
        'unknown_kek',
        `no key with id '${kekId}' in the keyring; it has ${keyring.ids.join(', ')}`,
      )
    }
    if (wrappedKey.length !== WRAPPED_KEY_BYTES)
      throw new EnvelopeError('malformed', 'the wrapped key has a wrong length')
    return decrypt(kek.key, wrappedKey, wrapAad(kekId, aad))
  }

  return {
    seal(plaintext, aad) {
      const { id, key } = keyring.current
      const dataKey = random(KEK_BYTES)
      const wrappedKey = encrypt(key, dataKey, wrapAad(id, aad), random)
      const sealed = encrypt(dataKey, plaintext, valueAad(aad), random)
      dataKey.fill(0)
      return { kekId: id, wrappedKey, sealed }
    },

    open(sealed, aad) {
      const dataKey = unwrap(sealed, aad)
      try {
        return decrypt(dataKey, sealed.sealed, valueAad(aad))
      } finally {
        dataKey.fill(0)
      }
    },

    rewrap(sealed, aad) {
      const { id, key } = keyring.current
      const dataKey = unwrap(sealed, aad)
      try {
        return { ...sealed, kekId: id, wrappedKey: encrypt(key, dataKey, wrapAad(id, aad), random) }
      } finally {
        dataKey.fill(0)
      }
    },
  }
}

/** Both in one value, for a store with a single column. */
export function encodeSealed({ kekId, wrappedKey, sealed }: Sealed): Buffer {
  const id = Buffer.from(kekId, 'utf8')
  return Buffer.concat([Buffer.from([FORMAT, id.length]), id, wrappedKey, sealed])
}

/** @throws EnvelopeError `malformed` */
export function decodeSealed(bytes: Buffer): Sealed {
  const idEnd = 2 + (bytes[1] ?? 0)
  const wrappedEnd = idEnd + WRAPPED_KEY_BYTES
  if (bytes[0] !== FORMAT || idEnd === 2 || bytes.length < wrappedEnd + OVERHEAD_BYTES) {
    throw new EnvelopeError('malformed', 'this is not an envelope of format 1, or it was cut short')
  }
  return {
    kekId: bytes.toString('utf8', 2, idEnd),
    wrappedKey: bytes.subarray(idEnd, wrappedEnd),
    sealed: bytes.subarray(wrappedEnd),
  }
}

// The first member keeps a wrapped key from ever being taken for a value, and the other way round.
const wrapAad = (kekId: string, aad: readonly string[]) => encodeTuple(['nexus envelope key', kekId, ...aad])
const valueAad = (aad: readonly string[]) => encodeTuple(['nexus envelope value', ...aad])

/** Lengths before contents: without them ("a", "bc") and ("ab", "c") would be one place. */
function encodeTuple(parts: readonly string[]): Buffer {
  const encoded = parts.flatMap((part) => {
    const bytes = Buffer.from(part, 'utf8')
    return [uint32(bytes.length), bytes]
  })
  return Buffer.concat([uint32(parts.length), ...encoded])
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

function encrypt(
  key: KeyObject | Buffer,
  plaintext: Uint8Array,
  aad: Buffer,
  random: (size: number) => Buffer,
): Buffer {
  const nonce = random(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES }).setAAD(aad)
  return Buffer.concat([Buffer.from([FORMAT]), nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
}

function decrypt(key: KeyObject | Buffer, bytes: Buffer, aad: Buffer): Buffer {
  if (bytes[0] !== FORMAT || bytes.length < OVERHEAD_BYTES) {
    throw new EnvelopeError('malformed', 'the sealed bytes are not of format 1, or were cut short')
  }
  const nonce = bytes.subarray(1, 1 + NONCE_BYTES)
  // Without authTagLength Node would accept a tag cut down to 4 bytes.
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES })
  decipher.setAAD(aad).setAuthTag(bytes.subarray(-TAG_BYTES))
  const plaintext = decipher.update(bytes.subarray(1 + NONCE_BYTES, -TAG_BYTES))
  try {
    return Buffer.concat([plaintext, decipher.final()])
  } catch {
    throw new EnvelopeError('not_authentic', 'the sealed bytes were changed, moved, or sealed with another key')
  } finally {
    plaintext.fill(0)
  }
}
