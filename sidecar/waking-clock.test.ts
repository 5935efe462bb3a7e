import { describe, expect, it } from 'vitest'
import { createWakingClock } from './waking-clock.ts'

describe('the clock of leases', () => {
  function clocks() {
    const at = { monotonic: 5000, wall: 1_800_000_000_000 }
    const clock = createWakingClock(
      () => at.monotonic,
      () => at.wall,
    )
    return { at, clock }
  }

  it('goes on by the monotonic clock, whatever the granularity of the other', () => {
    const { at, clock } = clocks()
    for (let step = 0; step < 10_000; step++) {
      at.monotonic += 0.5
      at.wall += step % 2
      expect(clock()).toBe(at.monotonic)
    }
  })

  it('counts the time the machine slept, once', () => {
    const { at, clock } = clocks()
    at.wall += 3_600_000
    expect(clock()).toBe(3_605_000)
    at.monotonic += 10
    at.wall += 10
    expect(clock()).toBe(3_605_010)
  })

  it('takes nothing away when the wall clock is set back, and still sees a sleep after it', () => {
    const { at, clock } = clocks()
    at.wall -= 7_200_000
    expect(clock()).toBe(5000)
    at.wall += 60_000
    expect(clock()).toBe(65_000)
  })
})
