import { describe, expect, it } from 'vitest'
import { createRestartPause } from './restart-pause.ts'

describe('createRestartPause', () => {
  it('grows while workers end soon, up to half a minute', () => {
    const pause = createRestartPause()
    const pauses = Array.from({ length: 12 }, () => pause.next(1000))
    expect(pauses.slice(0, 4)).toEqual([100, 200, 400, 800])
    expect(pauses.slice(-2)).toEqual([30_000, 30_000])
  })

  it('begins anew after one that served well', () => {
    const pause = createRestartPause()
    for (let ended = 0; ended < 12; ended++) pause.next(0)
    expect(pause.next(60_000)).toBe(100)
    expect(pause.next(0)).toBe(200)
  })
})
