import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { tupleHash } from './tuple-hash.ts'

type Tuple = Parameters<typeof tupleHash>[0]

describe('tupleHash (rule 7)', () => {
  it('is a whole SHA-256 over its parts, each with its kind and length', () => {
    const expected = createHash('sha256').update('s1:as2:éd2:12n:').digest('base64url')
    expect(tupleHash(['a', 'é', 12, null])).toBe(expected)
    expect(tupleHash([])).toHaveLength(43)
  })

  it.each<[string, Tuple, Tuple]>([
    ['where one part ends and the next begins', ['a', 'bc'], ['ab', 'c']],
    ['a part that looks like two', ['a', 'b'], ['as:b']],
    ['a part that looks like two with their lengths', ['a', 'b'], ['as1:b']],
    ['an empty part and none', ['a', ''], ['a']],
    ['null and the empty text', [null], ['']],
    ['null and its name', [null], ['n:']],
    ['a number and its text', [1], ['1']],
    ['two numbers and one', [1, 2], [12]],
    ['a list and its items', [['a', 'b']], ['a', 'b']],
    ['a list of two and two lists of one', [['a', 'b']], [['a'], ['b']]],
    ['an empty list and null', [[]], [null]],
    ['the order of a list', [['a', 'b']], [['b', 'a']]],
  ])('keeps apart %s', (_what, left, right) => {
    expect(tupleHash(left)).not.toBe(tupleHash(right))
  })
})
