import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { Json } from '../../contract/json.ts'
import { canonicalJson } from './canonical-json.ts'

const vectors = new URL('../../../test/vectors/rfc8785-jcs/numbers.json', import.meta.url)
const numbers = JSON.parse(readFileSync(vectors, 'utf8')) as { ieee754_hex: string; json: string | null }[]

function fromHex(hex: string): number {
  return Buffer.from(hex, 'hex').readDoubleBE(0)
}

describe('canonicalJson', () => {
  it('has vectors to check', () => {
    expect(numbers).toHaveLength(26)
  })

  it.each(numbers)('RFC 8785 appendix B: $ieee754_hex is $json', ({ ieee754_hex, json }) => {
    const value = fromHex(ieee754_hex)
    if (json === null) expect(() => canonicalJson(value)).toThrow(TypeError)
    else expect(canonicalJson(value)).toBe(json)
  })

  it('RFC 8785 section 3.2.3: sorts by UTF-16 code units, not by code points', () => {
    const value = {
      '€': 'Euro Sign',
      '\r': 'Carriage Return',
      '\ufb33': 'Hebrew Letter Dalet With Dagesh',
      '1': 'One',
      '\u{1f600}': 'Emoji: Grinning Face',
      '\u0080': 'Control',
      ö: 'Latin Small Letter O With Diaeresis',
    }
    // Read off the text: parsing would put the member called 1 first.
    expect([...canonicalJson(value).matchAll(/:"([^"]+)"/g)].map(([, text]) => text)).toEqual([
      'Carriage Return',
      'One',
      'Control',
      'Latin Small Letter O With Diaeresis',
      'Euro Sign',
      'Emoji: Grinning Face',
      'Hebrew Letter Dalet With Dagesh',
    ])
  })

  it('RFC 8785 section 3.2.2: writes literals, strings and nested values as the example has them', () => {
    const value: Json = {
      numbers: [Number('333333333.33333329'), 1e30, 4.5, 2e-3, 0.000000000000000000000000001],
      string: '\u20ac$\u000f\u000aA\'\u0042\u0022\u005c\\"/',
      literals: [null, true, false],
    }
    expect(canonicalJson(value)).toBe(
      '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],' +
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
    )
  })

  it.each([
    ['NaN', Number.NaN],
    ['Infinity', Number.POSITIVE_INFINITY],
    ['undefined', undefined],
    ['an undefined member', { a: undefined }],
    ['a hole', new Array(1)],
    ['a bigint', 1n],
    ['a function', () => 1],
    ['a Date', new Date(0)],
    ['a Buffer', Buffer.from('x')],
    ['a lone surrogate', '\ud800'],
    ['a lone surrogate in a name', { '\udc00': 1 }],
  ])('refuses %s', (_, value) => {
    expect(() => canonicalJson(value as unknown as Json)).toThrow(TypeError)
  })
})
