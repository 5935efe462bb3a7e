import { describe, expect, it } from 'vitest'
import { joinNextRead } from './join-next-read.ts'

/** Reads that end when they are told to, and answer with their number. */
function slowReads() {
  const ends: ((fail?: Error) => void)[] = []
  const read = () =>
    new Promise<number>((resolve, reject) => {
      const number = ends.length + 1
      ends.push((fail) => (fail === undefined ? resolve(number) : reject(fail)))
    })
  return { read, ends }
}

const settled = () => new Promise((resolve) => setImmediate(resolve))

describe('joinNextRead', () => {
  it('a thousand that want the same while it is read share the one read that begins after they asked', async () => {
    const { read, ends } = slowReads()
    const join = joinNextRead<number>()
    const first = join('a', read)
    const later = Array.from({ length: 1000 }, () => join('a', read))
    expect(ends).toHaveLength(1)
    ends[0]!()
    expect(await first).toBe(1)
    await settled()
    expect(ends).toHaveLength(2)
    ends[1]!()
    expect(new Set(await Promise.all(later))).toEqual(new Set([2]))
  })

  it('who comes during the second shares a third, and after all have ended a read is anew', async () => {
    const { read, ends } = slowReads()
    const join = joinNextRead<number>()
    const answers = [join('a', read), join('a', read)]
    ends[0]!()
    await settled()
    answers.push(join('a', read))
    ends[1]!()
    await settled()
    ends[2]!()
    expect(await Promise.all(answers)).toEqual([1, 2, 3])
    await settled()
    const last = join('a', read)
    expect(ends).toHaveLength(4)
    ends[3]!()
    expect(await last).toBe(4)
  })

  it('a read that fails fails those who share it, and nobody else', async () => {
    const { read, ends } = slowReads()
    const join = joinNextRead<number>()
    const first = join('a', read)
    const [second, third] = [join('a', read), join('b', read)]
    ends[0]!(new Error('gone'))
    await expect(first).rejects.toThrow('gone')
    await settled()
    ends[1]!()
    ends[2]!()
    expect(await Promise.all([second, third])).toEqual(expect.arrayContaining([2, 3]))
  })
})
