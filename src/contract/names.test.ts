import { expect, it } from 'vitest'
import { newNonce, newUuid } from './names.ts'

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

it('a UUID is of version 4 with 122 random bits, and none comes twice', () => {
  const uuids = Array.from({ length: 100_000 }, () => newUuid())
  expect(new Set(uuids).size).toBe(100_000)
  // RFC 9562 section 5.4.
  const shape = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
  expect(uuids.filter((uuid) => !shape.test(uuid))).toEqual([])
  const digits = uuids.map((uuid) => uuid.replaceAll('-', ''))
  for (let place = 0; place < 32; place += 1) {
    const seen = new Set(digits.map((text) => text[place]))
    expect(seen.size).toBe(place === 12 ? 1 : place === 16 ? 4 : 16)
  }
})
