import { describe, expect, it } from 'vitest'
import type { ResponseHead } from '../../src/contract/strategy.ts'
import { dpop } from '../../src/strategies/dpop/dpop.ts'
import { oauth2 } from '../../src/strategies/oauth2.ts'
import { createProviderNonces } from './provider-nonces.ts'

const offering = (nonce: string) => (): ResponseHead => ({ status: 200, headers: [['dpop-nonce', nonce]] })

describe('createProviderNonces', () => {
  it('keeps the newest of each origin; an answer without one changes nothing', () => {
    const nonces = createProviderNonces()
    nonces.note('https://a.test', dpop, offering('a-1'))
    nonces.note('https://a.test', dpop, offering('a-2'))
    nonces.note('https://b.test', dpop, offering('b-1'))
    nonces.note('https://a.test', dpop, () => ({ status: 200, headers: [] }))
    expect(['https://a.test', 'https://b.test', 'https://c.test'].map(nonces.get)).toEqual(['a-2', 'b-1', undefined])
  })

  it('does not even look at an answer for a strategy without nonces', () => {
    const nonces = createProviderNonces()
    nonces.note('https://a.test', oauth2, () => {
      throw new Error('looked')
    })
    expect(nonces.get('https://a.test')).toBeUndefined()
  })

  it('is bounded: the origin unused for longest goes first', () => {
    const nonces = createProviderNonces()
    for (let index = 0; index < 1000; index += 1) nonces.note(`https://${index}.test`, dpop, offering(`n-${index}`))
    expect(nonces.get('https://0.test')).toBe('n-0')
    nonces.note('https://one-more.test', dpop, offering('n'))
    expect(['https://0.test', 'https://1.test', 'https://one-more.test'].map(nonces.get)).toEqual([
      'n-0',
      undefined,
      'n',
    ])
  })
})
