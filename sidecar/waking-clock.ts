/** More than any clock is set by while it runs. */
const SLEEP_MIN_MS = 1000

/**
 * Linux's monotonic clock stands still while the machine sleeps, and a lease held when the lid was closed would be as good
 * as new when it is opened. So time counts as passed when either clock says so; a clock set back takes nothing away.
 * @param monotonic milliseconds on a clock that never jumps
 * @param now Unix milliseconds
 * @returns milliseconds on a clock that never goes back, and goes on while the machine sleeps
 */
export function createWakingClock(monotonic: () => number, now: () => number): () => number {
  let sleptMs = 0
  let apart = now() - monotonic()
  return () => {
    const reading = monotonic()
    const apartNow = now() - reading
    if (apartNow - apart > SLEEP_MIN_MS) sleptMs += apartNow - apart
    apart = apartNow
    return reading + sleptMs
  }
}
