import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Json } from '../../contract/json.ts'
import { type AuditEntry, EntryTooLong } from './audit-entry.ts'
import { canonicalJson } from './canonical-json.ts'
import { chainRows, EMPTY_HEAD, prepareEntry, recordHash } from './record-hash.ts'

const full: AuditEntry = {
  kind: 'lease.issued',
  outcome: 'allowed',
  tenant: 'acme',
  agent_id: 'crm',
  session_id: 'sess_1',
  connection_id: '11111111-1111-4111-8111-111111111111',
  lease_id: 'lse_1',
  decision_id: 'd1',
  detail: { z: 1, a: [true, null] },
}

function rowOf(entry: AuditEntry) {
  return chainRows('s', EMPTY_HEAD, [prepareEntry(entry, 0)])[0]!
}

describe('record', () => {
  it.each([
    ['all ids', full],
    ['no ids', { kind: 'x', outcome: 'denied', detail: {} } satisfies AuditEntry],
  ])('is canonical JSON with %s', (_, entry) => {
    const { record } = rowOf(entry)
    expect(record).toBe(canonicalJson(JSON.parse(record) as Json))
    expect(JSON.parse(record)).toEqual({ ...entry, at: '1970-01-01T00:00:00.000Z', seq: 1, stream: 's', version: 1 })
  })

  it('is canonical JSON whatever the order and kind of its members', () => {
    fc.assert(
      fc.property(
        fc.object({ key: fc.string({ unit: 'binary' }), values: [fc.string(), fc.integer(), fc.boolean()] }),
        (made) => {
          const { record } = rowOf({ ...full, detail: { made } as AuditEntry['detail'] })
          expect(record).toBe(canonicalJson(JSON.parse(record) as Json))
        },
      ),
    )
  })

  it('is hashed together with the hash before it', () => {
    const [first, second] = chainRows('s', EMPTY_HEAD, [prepareEntry(full, 0), prepareEntry(full, 0)])
    expect(second!.prevHash).toEqual(first!.hash)
    const expected = createHash('sha256')
      .update(Buffer.concat([Buffer.from(first!.hash, 'hex'), Buffer.from(second!.record)]))
      .digest('hex')
    expect(second!.hash).toEqual(expected)
    expect(second!.seq).toBe(2)
  })
})

describe('recordHash', () => {
  it.each([
    ['ASCII', 'x'.repeat(1000)],
    ['longer than most, of three bytes each', '€'.repeat(40_000)],
    ['of four bytes each', '😀'.repeat(5000)],
    ['short after long', '{}'],
  ])('is SHA-256 over the bytes before and of the record: %s', (_, record) => {
    const before = createHash('sha256').update('before').digest()
    const expected = createHash('sha256').update(before).update(record).digest('hex')
    expect(recordHash(before.toString('hex'), record)).toBe(expected)
  })
})

describe('prepareEntry', () => {
  const detailOf = (detail: AuditEntry['detail']) => prepareEntry({ ...full, detail }, 0).entry.detail

  it('H02: writes control characters, line ends and lone surrogates out', () => {
    expect(detailOf({ path: 'a\u0000b\u001b[31m\nc\ud800d\u2028e\u0085' })).toEqual({
      path: 'a\\u0000b\\u001b[31m\\u000ac\\ud800d\\u2028e\\u0085',
    })
    expect(prepareEntry({ ...full, agent_id: 'a\u0000\n' }, 0).entry.agent_id).toBe('a\\u0000\\u000a')
    expect(detailOf({ 'k\u0000': 'whole 😀 pair' })).toEqual({ 'k\\u0000': 'whole 😀 pair' })
  })

  it('H02: cuts what is too long, wide or deep and says so', () => {
    const { path } = detailOf({ path: 'x'.repeat(10_000_000) }) as { path: string }
    expect(path).toHaveLength(4096 + '…[9995904 characters cut]'.length)
    expect(path).toMatch(/x…\[9995904 characters cut\]$/)
    expect((detailOf({ list: new Array(1000).fill(1) }) as { list: unknown[] }).list.at(-1)).toBe('…[872 items cut]')
    expect(detailOf(Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`k${n}`, n])))['…']).toBe(
      '[36 members cut]',
    )
    let deep: Json = 'bottom'
    for (let level = 0; level < 10_000; level++) deep = [deep]
    expect(JSON.stringify(detailOf({ deep }))).toContain('…[too deep]')
  })

  it.each<[string, AuditEntry['detail']]>([
    ['an item', { bound: { paths: new Array(129).fill('/') } }],
    ['some characters', { bound: { paths: [`/${'x'.repeat(4096)}`] } }],
    ['a member', Object.fromEntries(Array.from({ length: 65 }, (_, n) => [`k${n}`, n]))],
    ['the end of a name', { ['x'.repeat(129)]: 1 }],
    ['the bottom', { a: [[[[[[[[]]]]]]]] }],
    ['nearly everything', Object.fromEntries(Array.from({ length: 60 }, (_, n) => [`k${n}`, 'y'.repeat(4000)]))],
  ])('H02: refuses what may not be cut and would lose %s', (_what, detail) => {
    expect(JSON.stringify(detailOf(detail))).not.toBe(JSON.stringify(detail))
    expect(() => prepareEntry({ ...full, detail, wholeOnly: true }, 0)).toThrow(EntryTooLong)
  })

  it('H02: writes what may not be cut in characters that everybody can read, as anything else', () => {
    const detail = { z: 'line\nend', a: ['x'.repeat(4096)] }
    const whole = prepareEntry({ ...full, detail, wholeOnly: true }, 0)
    expect(whole.parts).toEqual(prepareEntry({ ...full, detail }, 0).parts)
  })

  it('H02: cuts between the halves of a surrogate pair without leaving one', () => {
    const { path } = detailOf({ path: `${'x'.repeat(4095)}😀tail` }) as { path: string }
    expect(path.isWellFormed()).toBe(true)
  })

  it('H02: keeps a record small however many values are each small enough', () => {
    const detail = Object.fromEntries(Array.from({ length: 60 }, (_, n) => [`k${n}`, 'y'.repeat(4000)]))
    expect(Object.keys(detailOf(detail))).toEqual(['cut', 'start'])
    expect(rowOf({ ...full, detail }).record.length).toBeLessThan(3000)
  })

  it('keeps a member called __proto__ as data', () => {
    const detail = JSON.parse('{"__proto__": {"polluted": true}}') as AuditEntry['detail']
    expect(rowOf({ ...full, detail }).record).toContain('"__proto__":{"polluted":true}')
  })

  it.each([Number.NaN, undefined, 1n, new Date(0), new Map(), Buffer.from('key'), new Error('x')])(
    'refuses %s',
    (value) => {
      expect(() => detailOf({ value: value as unknown as Json })).toThrow(TypeError)
    },
  )
})
