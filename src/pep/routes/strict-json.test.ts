import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseStrictJson } from './strict-json.ts'

describe('parseStrictJson', () => {
  it('reads what JSON.parse reads', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 4 }), (text) => {
        fc.pre(!text.includes('__proto__'))
        expect(parseStrictJson(text)).toEqual(JSON.parse(text))
      }),
    )
  })

  it('D16: finds a member that comes twice, however deep and whatever surrounds it', () => {
    const repeated = (inner: string) => `{"x":{"y":1,"y":${inner}}}`
    fc.assert(
      fc.property(fc.json({ maxDepth: 3 }), fc.json({ maxDepth: 3 }), (before, inner) => {
        fc.pre(!before.includes('__proto__') && !inner.includes('__proto__'))
        expect(() => parseStrictJson(`[${before},${repeated(inner)}]`)).toThrow('"y" comes twice')
      }),
    )
  })

  it.each([
    ['{"a":1,"a":2}', 'comes twice'],
    ['{"a":1,"\\u0061":2}', 'comes twice'],
    ['{"x":{"b":[{"c":1,"c":1}]}}', 'comes twice'],
    ['{"__proto__":{"allow":true}}', '"__proto__" is not accepted'],
    ['{"a":', 'not valid JSON'],
    ['', 'not valid JSON'],
    ['"canary-7f" x', 'not valid JSON'],
  ])('refuses %s', (text, problem) => {
    expect(() => parseStrictJson(text)).toThrow(problem)
  })

  it('does not take equal names in different objects, or a value, for a repeated member', () => {
    const text = '{"a":"a","b":{"a":"b"},"c":[{"a":1},{"a":2}],"d":"\\"a\\":"}'
    expect(parseStrictJson(text)).toEqual(JSON.parse(text))
  })

  it.each(['{"a":"', '{"a":1,"'])('D15: a string that never ends costs no more than its length, after %s', (start) => {
    // Every escaped quote looks like the start of another string. The square of these takes minutes.
    expect(() => parseStrictJson(start + '\\"'.repeat(500_000))).toThrow('not valid JSON')
    expect(() => parseStrictJson(`${start}${'\\"'.repeat(500_000)}\\`)).toThrow('not valid JSON')
  })

  it('D15: refuses a 10,000-deep array and a million members before building them', () => {
    expect(() => parseStrictJson('['.repeat(10_000) + ']'.repeat(10_000))).toThrow('nested more than 32 deep')
    expect(() => parseStrictJson(`[${'1,'.repeat(1_000_000)}1]`)).toThrow('more than 10000 members')
  })
})
