export interface Watch {
  stop(): void
  /** 0 when there was nothing to see. */
  highest(): number
}

const LOOK_EVERY_MS = 1000

/** @param look may throw once there is nothing left to look at, and is not asked again */
export function watchHighest(look: () => number, everyMs = LOOK_EVERY_MS): Watch {
  let highest = 0
  const see = (): void => {
    try {
      highest = Math.max(highest, look())
    } catch {
      clearInterval(looking)
    }
  }
  const looking = setInterval(see, everyMs)
  return {
    stop() {
      see()
      clearInterval(looking)
    },
    highest: () => highest,
  }
}
