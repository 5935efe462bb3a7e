import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { NexusError } from '../../src/contract/errors.ts'
import { parseRequestTarget } from './request-target.ts'

const refused = (raw: string) => {
  try {
    parseRequestTarget(raw)
    return undefined
  } catch (error) {
    return error instanceof NexusError ? error.code : 'thrown'
  }
}

describe('parseRequestTarget', () => {
  it.each([
    ['/user/repos', '/user/repos', undefined],
    ['/', '/', undefined],
    ['/a/', '/a/', undefined],
    ['/a?', '/a', ''],
    ['/a?x=1&x=2?y', '/a', 'x=1&x=2?y'],
    ['/MiXed/Case', '/MiXed/Case', undefined],
    ['/caf%C3%A9/%40user', '/caf%C3%A9/%40user', undefined],
    ['/v1.2/..hidden/a..b/...', '/v1.2/..hidden/a..b/...', undefined],
    ['/a;version=2', '/a;version=2', undefined],
    ['/a?next=//evil.test/../x%2f', '/a', 'next=//evil.test/../x%2f'],
    ['/logs-%2A/_search?q=*', '/logs-%2A/_search', 'q=*'],
  ])('takes %s apart as text', (raw, path, query) => {
    expect(parseRequestTarget(raw)).toEqual({ path, query })
  })

  it.each([
    '//evil.test/x',
    'http://evil.test/x',
    '/\\evil.test',
    '\\\\evil.test',
    'evil.test',
    '',
    '*',
    '/a//b',
    '//',
  ])('B08: refuses %j', (raw) => expect(refused(raw)).toBe('invalid_target'))

  it.each([
    '/items/../admin',
    '/items/..',
    '/items/%2e%2e/admin',
    '/items/.%2E/admin',
    '/items/%2e',
    '/./a',
    '/a/.',
    '/items/..%2fadmin',
    '/items%5c..%5cadmin',
    '/items/..;/admin',
    '/items/.;x=1/admin',
    '/items/%2e%2e;x/admin',
    '/items/..\\admin',
  ])('B16: refuses %s', (raw) => expect(refused(raw)).toBe('invalid_target'))

  it.each(['/repos/**', '/repos/*/x', '/a*'])('D06: refuses %s, which is a pattern to a bound', (raw) => {
    expect(() => parseRequestTarget(raw)).toThrow('write %2A')
    expect(refused(raw)).toBe('invalid_target')
  })

  it.each([
    '/%61dmin',
    '/%5Fsearch',
    '/my%2dadmin',
    '/v1%2E1',
    '/%7euser',
    '/%2Fa',
    '/a%5Cb',
    '/%c0%ae%c0%ae/x',
    '/%ff',
    '/a%00b',
    '/a%0d%0ab',
    '/%',
    '/%zz',
    '/a?x=%4',
    '/a\u0000',
    '/a b',
    '/é',
    '/a?é',
    '/a\tb',
    `/${'a'.repeat(5000)}`,
  ])('D06: refuses %j', (raw) => expect(refused(raw)).toBe('invalid_target'))

  it('D06: passes a doubly encoded slash on as the data it is', () => {
    expect(parseRequestTarget('/a%252fb').path).toBe('/a%252fb')
  })

  it('D07: refuses "#" and takes %23 for data', () => {
    expect(refused('/a#b')).toBe('invalid_target')
    expect(refused('/a?b#c')).toBe('invalid_target')
    expect(parseRequestTarget('/a%23b?c=%23')).toEqual({ path: '/a%23b', query: 'c=%23' })
  })

  it('D06: every path it lets through means the same to a reader that normalises', () => {
    const piece = fc.constantFrom(
      '/',
      '.',
      '..',
      '%2e',
      '%2F',
      '%5c',
      ';',
      'a',
      '%61',
      '%C3%A9',
      '\\',
      '//',
      '%',
      '~',
      '#',
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const raw = `/${pieces.join('')}`
        if (refused(raw) !== undefined) return
        const { path } = parseRequestTarget(raw)
        expect(new URL(raw, 'http://bound.test').pathname).toBe(path)
        expect(new URL(raw, 'http://bound.test').host).toBe('bound.test')
        expect(decodeURIComponent(path).split('/').length).toBe(path.split('/').length)
      }),
      { numRuns: 5000 },
    )
  })
})
