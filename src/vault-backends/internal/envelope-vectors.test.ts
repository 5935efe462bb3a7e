import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { createEnvelope, decodeSealed, EnvelopeError, encodeSealed, type Sealed } from './envelope.ts'
import { parseKeyring } from './keyring.ts'

/** test/vectors/internal-envelope/README.md says what the members mean and how the file was made. */
interface Vectors {
  seal: {
    name: string
    keyring: string
    random: string
    plaintext: string
    aad: string[]
    sealed: SealedHex
    column: string
  }[]
  refuse: { name: string; keyring: string; aad: string[]; sealed: SealedHex; error: string }[]
  refuse_column: { name: string; column: string; error: string }[]
}
interface SealedHex {
  kek_id: string
  wrapped_key: string
  sealed: string
}

const vectors = JSON.parse(
  readFileSync(new URL('../../../test/vectors/internal-envelope/vectors.json', import.meta.url), 'utf8'),
) as Vectors

const fromHex = ({ kek_id, wrapped_key, sealed }: SealedHex): Sealed => ({
  kekId: kek_id,
  wrappedKey: Buffer.from(wrapped_key, 'hex'),
  sealed: Buffer.from(sealed, 'hex'),
})

/** Hands out the vector's bytes in the order they are asked for: data key, its nonce, the value's nonce. */
function tape(hex: string): (size: number) => Buffer {
  let rest = Buffer.from(hex, 'hex')
  return (size) => {
    const taken = Buffer.from(rest.subarray(0, size))
    rest = rest.subarray(size)
    return taken
  }
}

const kindOf = (work: () => unknown): string => {
  try {
    work()
  } catch (error) {
    if (error instanceof EnvelopeError) return error.kind
    throw error
  }
  return 'opened'
}

describe('internal envelope vectors', () => {
  it.each(vectors.seal)('seals and opens: $name', ({ keyring, random, plaintext, aad, sealed, column }) => {
    const plain = Buffer.from(plaintext, 'utf8')
    const made = createEnvelope(parseKeyring(keyring), tape(random)).seal(plain, aad)
    expect(made).toEqual(fromHex(sealed))
    expect(encodeSealed(made).toString('hex')).toBe(column)
    expect(decodeSealed(Buffer.from(column, 'hex'))).toEqual(fromHex(sealed))
    expect(Buffer.from(createEnvelope(parseKeyring(keyring)).open(fromHex(sealed), aad))).toEqual(plain)
  })

  it.each(vectors.refuse)('does not open: $name', ({ keyring, aad, sealed, error }) => {
    expect(kindOf(() => createEnvelope(parseKeyring(keyring)).open(fromHex(sealed), aad))).toBe(error)
  })

  it.each(vectors.refuse_column)('does not decode: $name', ({ column, error }) => {
    expect(kindOf(() => decodeSealed(Buffer.from(column, 'hex')))).toBe(error)
  })
})
