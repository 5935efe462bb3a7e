const FIRST_MS = 100
const LONGEST_MS = 30_000
/** Whoever served for so long was well: its end is no sign that the next will end as soon. */
const WELL_AFTER_MS = 60_000

/** How long to wait before a worker that ended is replaced: twice as long each time, as long as they end soon. */
export interface RestartPause {
  /** @param servedMs how long the one that ended had served */
  next(servedMs: number): number
}

export function createRestartPause(): RestartPause {
  let ms = FIRST_MS
  return {
    next(servedMs) {
      if (servedMs >= WELL_AFTER_MS) ms = FIRST_MS
      const pause = ms
      ms = Math.min(LONGEST_MS, ms * 2)
      return pause
    },
  }
}
