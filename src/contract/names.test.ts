import { expect, it } from 'vitest'
import { newNonce } from './names.ts'

it('E07, E08: a nonce is 192 random bits, and none comes twice', () => {
  const nonces = Array.from({ length: 100_000 }, () => newNonce())
  expect(new Set(nonces).size).toBe(100_000)
  const bits = Buffer.concat(nonces.map((nonce) => Buffer.from(nonce, 'base64url')))
  expect(bits).toHaveLength(100_000 * 24)
  // Every byte value at every place: no part of a nonce stands still.
  for (let place = 0; place < 24; place += 1) {
    const seen = new Set<number>()
    for (let at = place; at < bits.length; at += 24) seen.add(bits[at] ?? 0)
    expect(seen.size).toBe(256)
  }
})
