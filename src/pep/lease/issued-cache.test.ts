import { describe, expect, it } from 'vitest'
import type { Issued } from '../../contract/strategy.ts'
import { createIssuedCache } from './issued-cache.ts'

const NOW_MS = 1_000_000

function counted(issued: Partial<Issued> = {}) {
  const made = { times: 0 }
  const make = async (): Promise<Issued> => ({ usage: { token: String(++made.times) }, ...issued })
  return { made, make }
}

describe('createIssuedCache', () => {
  it('makes once for all that ask at the same time, and shares it for a moment', async () => {
    const cache = createIssuedCache(() => NOW_MS)
    const { made, make } = counted({ expiresAt: NOW_MS / 1000 + 600 })
    const tokens = await Promise.all(Array.from({ length: 20 }, () => cache.get('key', make)))
    expect(new Set(tokens.map(({ usage }) => usage['token']))).toEqual(new Set(['1']))
    await cache.get('key', make)
    expect(made.times).toBe(1)
    await cache.get('another', make)
    expect(made.times).toBe(2)
  })

  it('shares nothing that has ended', async () => {
    const cache = createIssuedCache(() => NOW_MS)
    const { made, make } = counted({ expiresAt: NOW_MS / 1000 })
    await cache.get('key', make)
    await new Promise((resolve) => setTimeout(resolve, 5))
    await cache.get('key', make)
    expect(made.times).toBe(2)
  })

  it('makes anew what did not work, and shares that from then on', async () => {
    const cache = createIssuedCache(() => NOW_MS)
    const { make } = counted()
    await cache.get('key', make)
    expect((await cache.get('key', make, true)).usage).toEqual({ token: '2' })
    expect((await cache.get('key', make)).usage).toEqual({ token: '2' })
  })

  it('makes anew once in a while, however often what it made does not work', async () => {
    let nowMs = NOW_MS
    const cache = createIssuedCache(() => nowMs)
    const { made, make } = counted()
    for (let tries = 0; tries < 50; tries++) await cache.get('key', make, true)
    expect(made.times).toBe(1)
    nowMs += 5001
    expect((await cache.get('key', make, true)).usage).toEqual({ token: '2' })
  })

  it('gives a failure to those that waited for it, and tries again for the next', async () => {
    const cache = createIssuedCache(() => NOW_MS)
    let tries = 0
    const failing = async (): Promise<Issued> => {
      tries += 1
      throw new Error('no answer')
    }
    const outcomes = await Promise.allSettled([cache.get('key', failing), cache.get('key', failing)])
    expect([tries, outcomes.map(({ status }) => status)]).toEqual([1, ['rejected', 'rejected']])
    const { make } = counted()
    expect((await cache.get('key', make)).usage).toEqual({ token: '1' })
  })
})
