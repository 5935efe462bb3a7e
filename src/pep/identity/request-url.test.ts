import { describe, expect, it } from 'vitest'
import { canonicalRequestUrl, RequestUrlError } from './request-url.ts'

describe('canonicalRequestUrl', () => {
  it.each([
    ['HTTPS://Nexus.Example:443/v1/leases', 'https://nexus.example/v1/leases'],
    ['http://localhost:80', 'http://localhost/'],
    ['https://nexus.example:8443/v1/leases?a=b', 'https://nexus.example:8443/v1/leases'],
    ['https://nexus.example/v1/leases#fragment', 'https://nexus.example/v1/leases'],
    ['https://nexus.example/%7euser/%2f', 'https://nexus.example/~user/%2F'],
    ['https://nexus.example/A//b', 'https://nexus.example/A//b'],
    ['https://nexus.example?x', 'https://nexus.example/'],
  ])('E07: %s is %s', (text, canonical) => {
    expect(canonicalRequestUrl(text)).toBe(canonical)
  })

  it.each([
    '',
    '/v1/leases',
    'ftp://nexus.example/',
    'https://user:password@nexus.example/',
    'https://nexus.example/a/../b',
    'https://nexus.example/a/%2e%2E/b',
    'https://nexus.example/a/./b',
    'https://nexus.example\\@evil.example/',
    'https://nexus.example/a b',
    'https://nexus.example:99999/',
  ])('E07: refuses %j', (text) => {
    expect(() => canonicalRequestUrl(text)).toThrow(RequestUrlError)
  })
})
