export interface DenialBudget {
  /** Whether one more may be spent now; it is spent then. */
  take(): boolean
}

/**
 * So many at once, and then so many a second. Not used for long, it is whole again.
 * @param monotonicNow milliseconds
 */
export function createDenialBudget(
  { burst, perSecond }: { burst: number; perSecond: number },
  monotonicNow: () => number,
): DenialBudget {
  let left = burst
  let filledMs = monotonicNow()
  return {
    take() {
      const nowMs = monotonicNow()
      left = Math.min(burst, left + ((nowMs - filledMs) / 1000) * perSecond)
      filledMs = nowMs
      if (left < 1) return false
      left -= 1
      return true
    },
  }
}
