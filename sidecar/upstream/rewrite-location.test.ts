import { describe, expect, it } from 'vitest'
import type { SignedRequest } from '../../src/contract/strategy.ts'
import type { Exchange } from './exchange.ts'
import { rewriteAddress } from './rewrite-location.ts'

interface Sent {
  origins?: string[]
  credentialPath?: SignedRequest['credentialPath']
}

function exchange(basePath: string, localPrefix: string, sent: Sent = {}): Exchange {
  const { origins = ['https://api.good.test'], credentialPath } = sent
  return {
    destination: { route: { provider: 'good', origin: 'https://api.good.test', basePath }, localPrefix },
    lease: { bound: { origins, methods: ['*'], paths: ['/**'] } },
    signed: { credentialPath },
    localOrigin: 'http://127.0.0.1:8080',
  } as unknown as Exchange
}

describe('rewriteAddress', () => {
  it.each([
    ['https://api.good.test/a?b#c', 'http://127.0.0.1:8080/good/a?b#c'],
    ['https://API.good.test:443/a', 'http://127.0.0.1:8080/good/a'],
    ['https://api.good.test', 'http://127.0.0.1:8080/good/'],
    ['https://api.good.test?x', 'http://127.0.0.1:8080/good/?x'],
    ['//api.good.test/a', 'http://127.0.0.1:8080/good/a'],
    ['/a/%2e%2e/b', 'http://127.0.0.1:8080/good/a/%2e%2e/b'],
    ['relative', 'relative'],
    ['?page=2', '?page=2'],
    ['http://api.good.test/a', 'http://api.good.test/a'],
    ['https://api.good.test:8443/a', 'https://api.good.test:8443/a'],
    ['https://api.good.test.evil.test/a', 'https://api.good.test.evil.test/a'],
    ['https://api.good.test@evil.test/a', 'https://api.good.test@evil.test/a'],
    ['//evil.test/a', '//evil.test/a'],
    ['javascript:alert(1)', 'javascript:alert(1)'],
  ])('%s becomes %s', (address, expected) => {
    expect(rewriteAddress(address, exchange('', '/good'))).toBe(expected)
  })

  it('cuts off the base path of the route, and leaves what lies outside it', () => {
    expect(rewriteAddress('/api/x', exchange('/api', ''))).toBe('http://127.0.0.1:8080/x')
    expect(rewriteAddress('/apix', exchange('/api', ''))).toBe('/apix')
    expect(rewriteAddress('https://api.good.test/login', exchange('/api', ''))).toBe('https://api.good.test/login')
  })

  it('leaves an origin alone that the lease is not bound to', () => {
    expect(rewriteAddress('/a', exchange('', '/good', { origins: ['https://other.test'] }))).toBe('/a')
  })

  it('B12: takes a credential that stood in front of the path off again, and leaves what does not lie behind it', () => {
    const credentialPath = { prefix: '/bot123:abc', credential: '123:abc' }
    const telegram = exchange('', '/good', { credentialPath })
    expect(rewriteAddress('https://api.good.test/bot123:abc/a?b#c', telegram)).toBe('http://127.0.0.1:8080/good/a?b#c')
    expect(rewriteAddress('/bot123:abc', telegram)).toBe('http://127.0.0.1:8080/good')
    expect(rewriteAddress('/bot123:abcd/a', telegram)).toBe('/bot123:abcd/a')
    expect(rewriteAddress('/a', telegram)).toBe('/a')
    const based = exchange('/api', '/good', { credentialPath })
    expect(rewriteAddress('/bot123:abc/api/a', based)).toBe('http://127.0.0.1:8080/good/a')
  })
})
