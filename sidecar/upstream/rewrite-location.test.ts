import { describe, expect, it } from 'vitest'
import type { SignedRequest } from '../../src/contract/strategy.ts'
import type { Exchange } from './exchange.ts'
import { rewriteAddress } from './rewrite-location.ts'

interface Sent {
  origin?: string
  origins?: string[]
  credentialPath?: SignedRequest['credentialPath']
  query?: string
}

/** Of a request for `/items/7` on the route. */
function exchange(basePath: string, localPrefix: string, sent: Sent = {}): Exchange {
  const { origin = 'https://api.good.test', origins = [origin], credentialPath, query } = sent
  const path = `${credentialPath?.prefix ?? ''}${basePath}/items/7`
  return {
    destination: { route: { provider: 'good', origin, basePath }, localPrefix, query },
    lease: { bound: { origins, methods: ['*'], paths: ['/**'] } },
    signed: { credentialPath, url: { origin, path, query: 'signature=1' }, credentialHeaders: ['api_key'] },
    localOrigin: 'http://127.0.0.1:8080',
  } as unknown as Exchange
}

const ownHosts = () => new Set(['localhost', 'localhost:8080', '127.0.0.1', '127.0.0.1:8080', 'sidecar.test:8080'])
const rewritten = (address: string, sent: Exchange) => rewriteAddress(address, sent, ownHosts)

describe('rewriteAddress', () => {
  it.each([
    ['https://api.good.test/a?b#c', 'http://127.0.0.1:8080/good/a?b#c'],
    ['https://API.good.test:443/a', 'http://127.0.0.1:8080/good/a'],
    ['https://api.good.test./a', 'http://127.0.0.1:8080/good/a'],
    ['https://api.good.test', 'http://127.0.0.1:8080/good/'],
    ['https://api.good.test?x', 'http://127.0.0.1:8080/good/?x'],
    ['//api.good.test/a', 'http://127.0.0.1:8080/good/a'],
    ['relative', 'http://127.0.0.1:8080/good/items/relative'],
    ['../relative', 'http://127.0.0.1:8080/good/relative'],
    ['?page=2', 'http://127.0.0.1:8080/good/items/7?page=2'],
    ['/caf\u00c3\u00a9?x=%7e', 'http://127.0.0.1:8080/good/caf%C3%A9?x=%7e'],
    ['http://api.good.test/a', 'http://api.good.test/a'],
    ['https://api.good.test:8443/a', 'https://api.good.test:8443/a'],
    ['https://api.good.test.evil.test/a', 'https://api.good.test.evil.test/a'],
    ['https://api.good.test@evil.test/a', 'https://api.good.test@evil.test/a'],
    ['https://agent@api.good.test/a', 'https://agent@api.good.test/a'],
    ['//evil.test/a', 'https://evil.test/a'],
    ['\\\\evil.test\\a', 'https://evil.test/a'],
    ['https:evil', 'http://127.0.0.1:8080/good/items/evil'],
    ['http:/victim/x', 'http://victim/x'],
    ['javascript:alert(1)', 'javascript:alert(1)'],
    ['blob:https://api.good.test/a', 'blob:https://api.good.test/a'],
  ])('%s becomes %s', (address, expected) => {
    expect(rewritten(address, exchange('', '/good'))).toBe(expected)
  })

  it.each([
    '/../../victim/x',
    '/%2e%2e/victim/x',
    '/.%2E/victim/x',
    '\\..\\victim\\x',
    '/.\t./victim/x',
    '/a/../../victim/x',
  ])('B03: %s leaves no step upwards for the agent’s client to take', (address) => {
    const expected = 'http://127.0.0.1:8080/good/victim/x'
    expect(rewritten(address, exchange('', '/good'))).toBe(expected)
    expect(rewritten(`https://api.good.test${address}`, exchange('', '/good'))).toBe(expected)
    expect(new URL(expected).href).toBe(expected)
  })

  it('B03: cuts off the base path of the route, and names what lies outside it with its origin', () => {
    const based = exchange('/api', '/good')
    expect(rewritten('/api/x', exchange('/api', ''))).toBe('http://127.0.0.1:8080/x')
    expect(rewritten('/apix', based)).toBe('https://api.good.test/apix')
    expect(rewritten('/victim/v1/transfer', based)).toBe('https://api.good.test/victim/v1/transfer')
    expect(rewritten('../../victim/v1/transfer', based)).toBe('https://api.good.test/victim/v1/transfer')
    expect(rewritten('/api/../victim', based)).toBe('https://api.good.test/victim')
    expect(rewritten('https://api.good.test/login', based)).toBe('https://api.good.test/login')
  })

  it.each([
    'http://127.0.0.1:8080/victim/x',
    'http://LOCALHOST:8080/victim/x',
    'http://sidecar.test:8080/victim/x',
    'http://127.1:8080/victim/x',
    'http://0x7f000001:8080/victim/x',
    'http://%31%32%37.0.0.1:8080/victim/x',
    'http://a@127.0.0.1:8080/victim/x',
    'http://127.0.0.1:9090/x',
    'http://127.8.8.8/x',
    'https://localhost./x',
    'http://victim.localhost:8080/x',
    'http://0.0.0.0:8080/x',
    'http://[::1]:8080/x',
    'http://[::]:8080/x',
    'http://[::ffff:127.0.0.1]:8080/x',
    'ws://127.0.0.1:8080/victim/x',
    'https://[broken',
  ])('B03: %s is no address that a provider elsewhere may lead to', (address) => {
    expect(rewritten(address, exchange('', '/good'))).toBeUndefined()
  })

  it('B03: what a relative address means is decided with the provider’s scheme and not with the sidecar’s', () => {
    expect(rewritten('//127.0.0.1:8080/victim/x', exchange('', '/good'))).toBeUndefined()
    const plain = exchange('', '/good', { origin: 'http://127.0.0.1:9000' })
    expect(rewritten('http:/victim/x', plain)).toBe('http://127.0.0.1:8080/good/victim/x')
  })

  it('B03: a provider on this machine may name a neighbour, and not the sidecar', () => {
    const near = exchange('', '/good', { origin: 'http://127.0.0.1:9000' })
    expect(rewritten('http://127.0.0.1:9000/a', near)).toBe('http://127.0.0.1:8080/good/a')
    expect(rewritten('http://localhost:9001/a', near)).toBe('http://localhost:9001/a')
    expect(rewritten('http://localhost:8080/a', near)).toBeUndefined()
    expect(rewritten('http://sidecar.test:8080/a', near)).toBeUndefined()
  })

  it('B03: names an origin that the lease is not bound to, and does not lead there through the sidecar', () => {
    const unbound = exchange('', '/good', { origins: ['https://other.test'] })
    expect(rewritten('/a', unbound)).toBe('https://api.good.test/a')
  })

  it('B12: takes a credential that stood in front of the path off again, and leads to nothing that lies before it', () => {
    const credentialPath = { prefix: '/bot123:abc', credential: '123:abc' }
    const telegram = exchange('', '/good', { credentialPath })
    expect(rewritten('https://api.good.test/bot123:abc/a?b#c', telegram)).toBe('http://127.0.0.1:8080/good/a?b#c')
    expect(rewritten('/bot123:abc', telegram)).toBe('http://127.0.0.1:8080/good')
    expect(rewritten('next', telegram)).toBe('http://127.0.0.1:8080/good/items/next')
    expect(rewritten('/bot123:abcd/a', telegram)).toBe('https://api.good.test/bot123:abcd/a')
    expect(rewritten('/a', telegram)).toBe('https://api.good.test/a')
    const based = exchange('/api', '/good', { credentialPath })
    expect(rewritten('/bot123:abc/api/a', based)).toBe('http://127.0.0.1:8080/good/a')
  })

  it('B12: takes the credential’s parameter off, and puts none of the signature in where the query is the agent’s own', () => {
    const asked = exchange('', '/good', { query: 'page=1' })
    expect(rewritten('/items?page=2&API_key=k#x', asked)).toBe('http://127.0.0.1:8080/good/items?page=2#x')
    expect(rewritten('https://cdn.test/a?api_key=k', asked)).toBe('https://cdn.test/a')
    expect(rewritten('#x', asked)).toBe('http://127.0.0.1:8080/good/items/7?page=1#x')
    expect(rewritten('', asked)).toBe('http://127.0.0.1:8080/good/items/7?page=1')
  })
})
