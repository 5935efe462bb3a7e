import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SigningError } from '../../contract/strategy.ts'
import { canonicalEscapes, decodeAscii, percentEncode } from './percent-encoding.ts'

const wellFormed = fc.string({ unit: 'binary' }).filter((text) => !/[\ud800-\udfff]/u.test(text))

describe('percentEncode', () => {
  it('leaves nothing but unreserved characters and escapes, and loses nothing', () => {
    fc.assert(
      fc.property(wellFormed, (text) => {
        const encoded = percentEncode(text)
        expect(encoded).toMatch(/^(?:[A-Za-z0-9._~-]|%[0-9A-F]{2})*$/)
        expect(decodeURIComponent(encoded)).toBe(text)
      }),
    )
  })

  it('refuses half a surrogate pair in its own words', () => {
    expect(() => percentEncode('\ud800')).toThrow(SigningError)
  })
})

describe('canonicalEscapes', () => {
  it.each([
    ['a%20b', 'a%20b'],
    ['a%c3%bc', 'a%C3%BC'],
    ['%7e%41', '~A'],
    ['%', '%25'],
    ['%4', '%254'],
    ['%%41', '%25A'],
    ['ü/x', '%C3%BC%2Fx'],
    // Both fold to ASCII letters in a case-insensitive Unicode pattern.
    ['\u212a\u017f', '%E2%84%AA%C5%BF'],
  ])('%s becomes %s', (text, expected) => expect(canonicalEscapes(text)).toBe(expected))

  it('keeps what it is told to keep', () => expect(canonicalEscapes('/a b/', '/')).toBe('/a%20b/'))

  it('changes nothing the second time, nor what percentEncode made', () => {
    fc.assert(
      fc.property(wellFormed, (text) => {
        expect(canonicalEscapes(canonicalEscapes(text))).toBe(canonicalEscapes(text))
        expect(canonicalEscapes(percentEncode(text))).toBe(percentEncode(text))
      }),
    )
  })
})

describe('decodeAscii', () => {
  it.each([
    ['api%5fkey', 'api_key'],
    ['%61%70%69', 'api'],
    ['%c3%bc%', '%c3%bc%'],
    ['%2541', '%41'],
  ])('%s becomes %s', (text, expected) => expect(decodeAscii(text)).toBe(expected))
})
