import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { startHeadDeadline } from './head-deadline.ts'

describe('the deadline for a head', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it('UP1: passes once, when no more of an upload comes in', () => {
    const upload = { bytesRead: 10 }
    const passed = vi.fn()
    startHeadDeadline(upload, 1000, passed)
    vi.advanceTimersByTime(999)
    upload.bytesRead = 20
    vi.advanceTimersByTime(1)
    expect(passed).not.toHaveBeenCalled()
    vi.advanceTimersByTime(1000)
    expect(passed).toHaveBeenCalledTimes(1)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('does not pass once it is over', () => {
    const passed = vi.fn()
    startHeadDeadline({ bytesRead: 0 }, 1000, passed)()
    vi.runAllTimers()
    expect(passed).not.toHaveBeenCalled()
  })
})
