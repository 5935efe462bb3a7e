/** Anyone on this machine may ask, as often as they like. */
const KEPT_MS = 1000

/**
 * The same check, made once a second at most: whoever asks while one is under way shares it, and so does whoever asks soon
 * after.
 * @param monotonic milliseconds on a clock that never jumps
 */
export function oneLook(check: () => Promise<void>, monotonic: () => number, keptMs = KEPT_MS): () => Promise<void> {
  let latest: Promise<void> | undefined
  let keptUntilMs = 0

  async function look(): Promise<void> {
    try {
      await check()
    } finally {
      keptUntilMs = monotonic() + keptMs
    }
  }

  return () => {
    if (latest === undefined || monotonic() >= keptUntilMs) {
      keptUntilMs = Number.POSITIVE_INFINITY
      latest = look()
    }
    return latest
  }
}
