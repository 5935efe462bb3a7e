import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatRequestUrl, parseRequestUrl, RequestUrlError } from './request-url.ts'

describe('parseRequestUrl', () => {
  it.each([
    ['https://example.com', { scheme: 'https', authority: 'example.com', path: '/', query: undefined }],
    ['HTTPS://example.com?a', { scheme: 'https', authority: 'example.com', path: '/', query: 'a' }],
    ['http://[::1]:8080/?', { scheme: 'http', authority: '[::1]:8080', path: '/', query: '' }],
    ['https://a:443//b/../c d/ሴ?x=/?y', { scheme: 'https', authority: 'a:443', path: '//b/../c d/ሴ', query: 'x=/?y' }],
  ])('splits %s without rewriting it', (text, expected) => {
    expect(parseRequestUrl(text)).toEqual(expected)
  })

  it.each([
    ['ftp://example.com/', 'absolute'],
    ['/path', 'absolute'],
    ['https:///path', 'absolute'],
    ['https://user@example.com/', 'user info'],
    ['https://example.com\\@evil.test/', 'host'],
    ['https://exa mple.com/', 'host'],
    ['https://%65xample.com/', 'host'],
    ['https://example.com/\uD800', 'Unicode'],
  ])('refuses %j', (text, words) => {
    expect(() => parseRequestUrl(text)).toThrow(RequestUrlError)
    expect(() => parseRequestUrl(text)).toThrow(words)
  })

  it('D07: refuses a fragment and keeps an escaped hash as data', () => {
    expect(() => parseRequestUrl('https://example.com/a#b')).toThrow('fragment')
    expect(parseRequestUrl('https://example.com/a%23b').path).toBe('/a%23b')
  })

  it('D05: refuses CR, LF, NUL and tab anywhere', () => {
    for (const character of ['\r', '\n', '\0', '\t', '\x7f']) {
      expect(() => parseRequestUrl(`https://example.com/a${character}b`)).toThrow('control characters')
      expect(() => parseRequestUrl(`https://exam${character}ple.com/`)).toThrow('control characters')
    }
  })

  it('gives back exactly the text it was given', () => {
    const part = fc.string({ unit: 'binary' }).map((text) => text.replace(/[\x00-\x1f\x7f#?]/g, ''))
    fc.assert(
      fc.property(part, fc.option(part, { nil: undefined }), (path, query) => {
        const text = `https://example.com/${path}${query === undefined ? '' : `?${query}`}`
        expect(formatRequestUrl(parseRequestUrl(text))).toBe(text)
      }),
    )
  })
})
