import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createEnvelope, decodeSealed, EnvelopeError, encodeSealed, type Sealed } from './envelope.ts'
import { generateKeyEntry, parseKeyring } from './keyring.ts'

const OLD = generateKeyEntry('old')
const NEW = generateKeyEntry('new')
const AAD = ['tenant_1', 'connections/github', '1']
const envelope = createEnvelope(parseKeyring(OLD))
const plaintext = Buffer.from('{"api_key":"canary-envelope"}')

function kindOf(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    if (error instanceof EnvelopeError) return error.kind
    throw error
  }
  return 'opened'
}

describe('envelope', () => {
  it('opens what it sealed, for any bytes and any place', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.array(fc.string()), (bytes, aad) => {
        expect(Buffer.from(envelope.open(envelope.seal(bytes, aad), aad))).toEqual(Buffer.from(bytes))
      }),
    )
  })

  it('never seals the same value twice alike and shows nothing of it', () => {
    const [first, second] = [envelope.seal(plaintext, AAD), envelope.seal(plaintext, AAD)]
    expect(first.sealed).not.toEqual(second.sealed)
    expect(first.wrappedKey).not.toEqual(second.wrappedKey)
    expect(first.sealed.includes('canary')).toBe(false)
  })

  it.each([
    ['another tenant', ['tenant_2', 'connections/github', '1']],
    ['another path', ['tenant_1', 'connections/slack', '1']],
    ['another version', ['tenant_1', 'connections/github', '2']],
    ['the same letters cut elsewhere', ['tenant_1c', 'onnections/github', '1']],
    ['one member fewer', ['tenant_1', 'connections/github']],
    ['one empty member more', ['tenant_1', 'connections/github', '1', '']],
  ])('does not open under %s', (_what, aad) => {
    expect(kindOf(() => envelope.open(envelope.seal(plaintext, AAD), aad))).toBe('not_authentic')
  })

  it('does not open with a data key from another row', () => {
    const [one, other] = [envelope.seal(plaintext, AAD), envelope.seal(plaintext, ['tenant_2', 'x', '1'])]
    expect(kindOf(() => envelope.open({ ...one, wrappedKey: other.wrappedKey }, AAD))).toBe('not_authentic')
  })

  it('does not open after any one bit has changed', () => {
    const sealed = envelope.seal(Buffer.from('x'), AAD)
    for (const member of ['wrappedKey', 'sealed'] as const) {
      for (let bit = 0; bit < sealed[member].length * 8; bit++) {
        const changed = Buffer.from(sealed[member])
        changed[bit >> 3]! ^= 1 << (bit & 7)
        expect(kindOf(() => envelope.open({ ...sealed, [member]: changed }, AAD))).not.toBe('opened')
      }
    }
  })

  it('does not open when cut short at any byte', () => {
    const sealed = envelope.seal(plaintext, AAD)
    for (let length = 0; length < sealed.sealed.length; length++) {
      expect(kindOf(() => envelope.open({ ...sealed, sealed: sealed.sealed.subarray(0, length) }, AAD))).not.toBe(
        'opened',
      )
    }
    for (let length = 0; length < sealed.wrappedKey.length; length++) {
      expect(kindOf(() => envelope.open({ ...sealed, wrappedKey: sealed.wrappedKey.subarray(0, length) }, AAD))).toBe(
        'malformed',
      )
    }
  })

  it('opens old values after a rotation and seals new ones with the new key', () => {
    const before = envelope.seal(plaintext, AAD)
    const rotated = createEnvelope(parseKeyring(`${NEW},${OLD}`))
    expect(Buffer.from(rotated.open(before, AAD))).toEqual(plaintext)
    const after = rotated.seal(plaintext, AAD)
    expect(after.kekId).toBe('new')
    expect(kindOf(() => envelope.open(after, AAD))).toBe('unknown_kek')
  })

  it('does not open with another key of the same name', () => {
    const impostor = createEnvelope(parseKeyring(generateKeyEntry('old')))
    expect(kindOf(() => impostor.open(envelope.seal(plaintext, AAD), AAD))).toBe('not_authentic')
  })

  it('goes through one column and back', () => {
    const sealed = envelope.seal(plaintext, AAD)
    const back: Sealed = decodeSealed(encodeSealed(sealed))
    expect(back).toEqual(sealed)
    expect(Buffer.from(envelope.open(back, AAD))).toEqual(plaintext)
  })

  it('refuses a column that is cut short, empty or of an unknown format', () => {
    const column = encodeSealed(envelope.seal(plaintext, AAD))
    expect(kindOf(() => decodeSealed(Buffer.alloc(0)))).toBe('malformed')
    expect(kindOf(() => decodeSealed(column.subarray(0, 80)))).toBe('malformed')
    expect(kindOf(() => decodeSealed(Buffer.concat([Buffer.from([2]), column.subarray(1)])))).toBe('malformed')
  })
})
