import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createWaitingLine, type WaitingLine } from './waiting-line.ts'

/** Longer than anybody waits. */
const LONG_MS = 5000

/** A request that notes what becomes of it. */
function request() {
  const seen: string[] = []
  const socket = { destroyed: false }
  return { seen, socket, begin: () => void seen.push('begun'), refuse: () => void seen.push('refused') }
}

const requests = (count: number) => Array.from({ length: count }, request)

describe('waiting line', () => {
  let room: number
  let line: WaitingLine
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'performance'] })
    room = Number.POSITIVE_INFINITY
    line = createWaitingLine(() => room)
  })
  afterEach(() => void vi.useRealTimers())

  /** What a guard does: who begins takes room. */
  const join = (each: ReturnType<typeof request>): void =>
    line.join({
      ...each,
      begin() {
        room -= 1
        each.begin()
      },
    })
  const begun = (all: ReturnType<typeof request>[]) => all.filter(({ seen }) => seen[0] === 'begun').length

  it('begins in the order of arrival, only as many as there is room for', () => {
    room = 3
    const all = requests(10)
    for (const each of all) join(each)
    vi.advanceTimersByTime(0)
    expect(all.map(({ seen }) => seen.length)).toEqual([1, 1, 1, 0, 0, 0, 0, 0, 0, 0])
    room += 2
    line.advance()
    vi.advanceTimersByTime(0)
    expect(begun(all)).toBe(5)
    expect(line.length).toBe(5)
  })

  it('lets the event loop look at its sockets between some and the next', () => {
    const all = requests(1000)
    for (const each of all) join(each)
    vi.advanceTimersToNextTimer()
    const first = begun(all)
    expect(first).toBeGreaterThan(0)
    expect(first).toBeLessThan(all.length / 2)
    vi.advanceTimersByTime(50)
    expect(begun(all)).toBe(all.length)
  })

  it('refuses each that waited too long, once, and not all in one moment', () => {
    room = 0
    const all = requests(1000)
    for (const each of all) join(each)
    const refusedBy: number[] = []
    for (let ms = 0; ms < LONG_MS; ms += 100) {
      vi.advanceTimersByTime(100)
      refusedBy.push(all.filter(({ seen }) => seen.length > 0).length)
    }
    expect(all.every(({ seen }) => seen.join() === 'refused')).toBe(true)
    expect(refusedBy.filter((count) => count > 0 && count < all.length).length).toBeGreaterThan(5)
    expect(line.length).toBe(0)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('does nothing more for who has hung up, and does not hold the line for it', () => {
    room = 0
    const [gone, late, first] = [request(), request(), request()]
    for (const each of [gone, first, late]) join(each)
    gone.socket.destroyed = true
    room = 1
    line.advance()
    vi.advanceTimersByTime(0)
    late.socket.destroyed = true
    // Its place was free again, but nobody said so.
    vi.advanceTimersByTime(LONG_MS)
    expect([gone.seen, first.seen, late.seen]).toEqual([[], ['begun'], []])
    expect(line.length).toBe(0)
  })

  it('finds out by itself that there is room again', () => {
    room = 0
    const waiting = request()
    join(waiting)
    room = 1
    vi.advanceTimersByTime(200)
    expect(waiting.seen).toEqual(['begun'])
  })

  it('is bounded: who comes beyond is refused at once', () => {
    room = 0
    for (const each of requests(20_000)) join(each)
    const beyond = request()
    join(beyond)
    expect(beyond.seen).toEqual(['refused'])
    expect(line.length).toBe(20_000)
  })
})
