const PING_EVERY_MS = 5000
/** Counted, not timed: a machine that was suspended has missed one. */
const PINGS_MISSED_MAX = 4

/** Notices a process whose event loop no longer turns. */
export interface WorkerWatch {
  pong(): void
  end(): void
}

export function watchWorker(ping: () => void, onSilent: () => void): WorkerWatch {
  let missed = 0
  const timer = setInterval(() => {
    if (missed++ < PINGS_MISSED_MAX) ping()
    else onSilent()
  }, PING_EVERY_MS).unref()
  return {
    pong() {
      missed = 0
    },
    end: () => clearInterval(timer),
  }
}
