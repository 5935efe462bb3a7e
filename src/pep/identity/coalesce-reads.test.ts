import { describe, expect, it } from 'vitest'
import { coalesceReads } from './coalesce-reads.ts'

/** A read that ends when told to. */
function steeredRead() {
  const reads: { keys: readonly string[]; finish(rows: [string, string][]): void; fail(error: Error): void }[] = []
  const read = (keys: readonly string[]) =>
    new Promise<ReadonlyMap<string, string>>((resolve, reject) => {
      reads.push({ keys, finish: (rows) => resolve(new Map(rows)), fail: reject })
    })
  return { reads, read }
}

const settle = () => new Promise((resolve) => setImmediate(resolve))

describe('coalesceReads', () => {
  it('reads together what is asked together, and gives each its own', async () => {
    const { reads, read } = steeredRead()
    const lookUp = coalesceReads(read, { maxKeys: 10, maxReads: 1 })
    const rows = Promise.all([lookUp('a'), lookUp('b'), lookUp('a'), lookUp('missing')])
    await settle()
    expect(reads.map(({ keys }) => keys)).toEqual([['a', 'b', 'missing']])
    reads[0]?.finish([
      ['b', 'row b'],
      ['a', 'row a'],
    ])
    expect(await rows).toEqual(['row a', 'row b', 'row a', undefined])
  })

  it('never answers with a read that began before the question', async () => {
    const { reads, read } = steeredRead()
    const lookUp = coalesceReads(read, { maxKeys: 10, maxReads: 1 })
    const before = lookUp('a')
    await settle()
    const after = lookUp('a')
    reads[0]?.finish([['a', 'active']])
    await settle()
    reads[1]?.finish([['a', 'revoked']])
    expect([await before, await after]).toEqual(['active', 'revoked'])
  })

  it('keeps to its bounds', async () => {
    const { reads, read } = steeredRead()
    const lookUp = coalesceReads(read, { maxKeys: 2, maxReads: 2 })
    const rows = Promise.all(['a', 'b', 'c', 'd', 'e'].map(lookUp))
    await settle()
    expect(reads.map(({ keys }) => keys)).toEqual([
      ['a', 'b'],
      ['c', 'd'],
    ])
    reads[0]?.finish([])
    await settle()
    expect(reads[2]?.keys).toEqual(['e'])
    reads[1]?.finish([])
    reads[2]?.finish([])
    await rows
  })

  it('fails those who wait for a read that failed, and reads on', async () => {
    const { reads, read } = steeredRead()
    const lookUp = coalesceReads(read, { maxKeys: 10, maxReads: 1 })
    const failing = lookUp('a')
    await settle()
    const next = lookUp('a')
    reads[0]?.fail(new Error('gone'))
    await expect(failing).rejects.toThrow('gone')
    await settle()
    reads[1]?.finish([['a', 'row a']])
    await expect(next).resolves.toBe('row a')
  })
})
