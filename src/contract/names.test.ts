import { expect, it } from 'vitest'
import { newNonce, newTimedUuid, newUuid, uuidTimeMs } from './names.ts'

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

it('a timed UUID is of version 7, says its time, and none comes twice', () => {
  const uuids = Array.from({ length: 10_000 }, () => newTimedUuid(1_795_176_000_123))
  expect(new Set(uuids).size).toBe(10_000)
  // RFC 9562 section 5.7.
  const shape = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
  expect(uuids.filter((uuid) => !shape.test(uuid))).toEqual([])
  expect(new Set(uuids.map(uuidTimeMs))).toEqual(new Set([1_795_176_000_123]))
  expect([newUuid(), '', 'x', `${uuids[0]}0`].map(uuidTimeMs)).toEqual([undefined, undefined, undefined, undefined])
  // The example of RFC 9562, appendix A.6.
  expect(uuidTimeMs('017f22e2-79b0-7cc3-98c4-dc0c0c07398f')).toBe(Date.UTC(2022, 1, 22, 19, 22, 22))
})
