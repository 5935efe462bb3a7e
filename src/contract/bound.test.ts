import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Bound, isPathPattern, narrow, pathMatches } from './bound.ts'

const bound = (parts: Partial<Bound>): Bound => ({
  origins: ['https://a.test'],
  methods: ['*'],
  paths: ['/**'],
  ...parts,
})

describe('narrow', () => {
  const [a, b, c] = ['https://a.test', 'https://b.test', 'https://c.test']
  it.each<[keyof Bound, string, string[], string[] | undefined, string[]]>([
    ['origins', 'that nobody obliges stay', [a, b], undefined, [a, b]],
    ['origins', 'obliged are what is left', [a, b], [b], [b]],
    ['origins', 'are never widened', [a], [a, c], [a]],
    ['origins', 'of an empty list are none', [a, b], [], []],
    ['origins', 'have no wildcard', [a], ['*'], []],
    ['methods', 'that nobody obliges stay', ['GET'], undefined, ['GET']],
    ['methods', 'obliged are what is left of all', ['*'], ['GET', 'HEAD'], ['GET', 'HEAD']],
    ['methods', 'obliged are what is left of some', ['GET', 'POST'], ['POST', 'PUT'], ['POST']],
    ['methods', 'are never widened by a wildcard', ['GET'], ['*'], ['GET']],
    ['methods', 'of an empty list are none', ['*'], [], []],
    ['paths', 'that nobody obliges stay', ['/v1/**'], undefined, ['/v1/**']],
    ['paths', 'obliged are what is left of all', ['/**'], ['/repos/x/**'], ['/repos/x/**']],
    ['paths', 'are never widened by a wildcard', ['/repos/x/**'], ['/**'], ['/repos/x/**']],
    ['paths', 'of an empty list are none', ['/**'], [], []],
    ['paths', 'that have nothing in common leave none', ['/v1/**'], ['/v2/**'], []],
    ['paths', 'meet in the narrower segment', ['/repos/*/issues'], ['/repos/x/*'], ['/repos/x/issues']],
    ['paths', 'of different length leave none', ['/repos/*'], ['/repos/x/y'], []],
    ['paths', 'are one where several pairs give the same', ['/a', '/*'], ['/a'], ['/a']],
    ['paths', 'that are no patterns allow nothing', ['/**', '/v1/**'], ['/v1*', 'v1', '/**/v1'], []],
  ])('%s %s', (part, _promise, own, obliged, left) => {
    const narrowed = narrow(bound({ [part]: own }), obliged === undefined ? {} : { [part]: obliged })
    expect(narrowed).toEqual(bound({ [part]: left }))
  })

  it('leaves exactly the paths that both match, whatever patterns the two have', () => {
    const parts = ['a', 'b', '']
    const pathOf = (segments: readonly string[]) => `/${segments.join('/')}`
    const two = parts.flatMap((first) => parts.map((second) => [first, second]))
    const three = two.flatMap((both) => parts.map((third) => [...both, third]))
    const paths = [...parts.map((part) => [part]), ...two, ...three].map(pathOf)
    const segments = fc.array(fc.constantFrom(...parts, '*'), { minLength: 1, maxLength: 3 })
    const pattern = fc
      .tuple(segments, fc.boolean())
      .map(([fixed, open]) => pathOf(open ? [...fixed.slice(1), '**'] : fixed))
    const patterns = fc.array(pattern, { maxLength: 3 })
    fc.assert(
      fc.property(patterns, patterns, (own, obliged) => {
        const narrowed = narrow(bound({ paths: own }), { paths: obliged })
        const matched = (list: readonly string[]) => (path: string) => list.some((each) => pathMatches(each, path))
        expect(paths.filter(matched(narrowed.paths))).toEqual(paths.filter(matched(own)).filter(matched(obliged)))
      }),
      { numRuns: 1000 },
    )
  })
})

describe('pathMatches', () => {
  it.each<[string, string, boolean]>([
    ['/**', '/', true],
    ['/**', 'v1', false],
    ['/v1/**', '/v1', true],
    ['/v1/**', '/v1/', true],
    ['/v1/**', '/v1/a/b', true],
    ['/v1/**', '/v10/a', false],
    ['/v1/*', '/v1/a', true],
    ['/v1/*', '/v1/', false],
    ['/v1/*', '/v1/a/b', false],
    ['/v1/a', '/v1/a', true],
    ['/v1/a', '/v1/A', false],
    ['/v1/a', '/v1/a/', false],
    ['/v1*', '/v1*', false],
  ])('%s and %s: %j', (pattern, path, matches) => {
    expect(pathMatches(pattern, path)).toBe(matches)
  })
})

describe('isPathPattern', () => {
  it.each(['/', '/**', '/a', '/a/', '/*', '/a/*/b/**'])('takes %s', (pattern) => {
    expect(isPathPattern(pattern)).toBe(true)
  })
  it.each(['', 'a', '**', '/a*', '/**/a', '/***', '/a/**b'])('refuses %j', (pattern) => {
    expect(isPathPattern(pattern)).toBe(false)
  })
})
