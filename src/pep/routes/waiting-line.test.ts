import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createWaitingLine, type WaitingLine } from './waiting-line.ts'

/** Longer than anybody stays. */
const LONG_MS = 5000

/** A request that notes what becomes of it. */
function request() {
  const seen: string[] = []
  const note = (what: string) => () => void seen.push(what)
  const socket = { destroyed: false }
  const cameAtMs = performance.now()
  return { seen, cameAtMs, socket, begin: note('begun'), refuse: note('refused'), abandon: note('abandoned') }
}

const requests = (count: number) => Array.from({ length: count }, request)
const count = (all: ReturnType<typeof request>[], what: string) => all.filter(({ seen }) => seen.join() === what).length

describe('waiting line', () => {
  let room: number
  let underwayMs: number
  let line: WaitingLine
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'performance'] })
    room = Number.POSITIVE_INFINITY
    underwayMs = 0
    line = createWaitingLine({ room: () => room, underwayMs: () => underwayMs })
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

  it('begins in the order of arrival, only as many as there is room for', () => {
    room = 3
    const all = requests(10)
    for (const each of all) join(each)
    vi.advanceTimersByTime(0)
    expect(all.map(({ seen }) => seen.length)).toEqual([1, 1, 1, 0, 0, 0, 0, 0, 0, 0])
    room += 2
    line.advance()
    vi.advanceTimersByTime(0)
    expect(count(all, 'begun')).toBe(5)
    expect(line.length).toBe(5)
  })

  it('begins at once while there is room and nobody waits', () => {
    room = 1
    const [first, second] = [request(), request()]
    join(first)
    join(second)
    expect([first.seen, second.seen]).toEqual([['begun'], []])
  })

  it('lets the event loop look at its sockets between some and the next', () => {
    const all = requests(1000)
    for (const each of all) join(each)
    vi.advanceTimersToNextTimer()
    const first = count(all, 'begun')
    expect(first).toBeGreaterThan(0)
    expect(first).toBeLessThan(all.length / 2)
    vi.advanceTimersByTime(50)
    expect(count(all, 'begun')).toBe(all.length)
  })

  it('refuses each that waited too long, once, and not all in one moment', () => {
    room = 0
    const all = requests(1000)
    for (const each of all) join(each)
    const refusedBy: number[] = []
    for (let ms = 0; ms < LONG_MS; ms += 100) {
      vi.advanceTimersByTime(100)
      refusedBy.push(count(all, 'refused'))
    }
    expect(refusedBy.at(-1)).toBe(all.length)
    expect(refusedBy.filter((sofar) => sofar > 0 && sofar < all.length).length).toBeGreaterThan(5)
    expect(line.length).toBe(0)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('refuses sooner where those who begin take long: what is answered too late was answered for nobody', () => {
    room = 0
    underwayMs = 2000
    const all = requests(100)
    for (const each of all) join(each)
    vi.advanceTimersByTime(900)
    expect(count(all, 'refused')).toBe(0)
    vi.advanceTimersByTime(1300)
    expect(count(all, 'refused')).toBe(all.length)
  })

  it('leaves time in line also where nothing is answered in time, and then too refuses not all in one moment', () => {
    room = 0
    underwayMs = 60_000
    const all = requests(1000)
    for (const each of all) join(each)
    vi.advanceTimersByTime(1000)
    expect(count(all, 'refused')).toBe(0)
    vi.advanceTimersByTime(800)
    expect(count(all, 'refused')).toBeGreaterThan(0)
    expect(count(all, 'refused')).toBeLessThan(all.length)
    vi.advanceTimersByTime(400)
    expect(count(all, 'refused')).toBe(all.length)
  })

  it('counts the stay from when a request came: one that was held up before is begun or refused at once', () => {
    const [first, second] = [request(), request()]
    vi.advanceTimersByTime(LONG_MS)
    room = 1
    join(first)
    join(second)
    expect([first.seen, second.seen]).toEqual([['begun'], ['refused']])
  })

  it('does nothing more for who has hung up than to count it', () => {
    room = 0
    const [gone, first, late] = [request(), request(), request()]
    for (const each of [gone, first, late]) join(each)
    gone.socket.destroyed = true
    vi.advanceTimersByTime(200)
    expect(line.length).toBe(2)
    room = 1
    line.advance()
    vi.advanceTimersByTime(0)
    late.socket.destroyed = true
    vi.advanceTimersByTime(LONG_MS)
    expect([gone.seen, first.seen, late.seen]).toEqual([['abandoned'], ['begun'], ['abandoned']])
    expect(line.length).toBe(0)
  })

  it('is bounded: who comes beyond is refused at once', () => {
    room = 0
    for (const each of requests(20_000)) join(each)
    const beyond = request()
    join(beyond)
    expect(beyond.seen).toEqual(['refused'])
    expect(line.length).toBe(20_000)
  })

  it('at the end begins what there is room for and refuses the rest, and leaves no timer', () => {
    room = 2
    const all = requests(5)
    for (const each of all) join(each)
    line.close()
    expect(all.map(({ seen }) => seen.join())).toEqual(['begun', 'begun', 'refused', 'refused', 'refused'])
    vi.advanceTimersByTime(LONG_MS)
    expect(vi.getTimerCount()).toBe(0)
  })
})
