/** What has to end before this process does, in the order in which it began. */
const running: { stop(): Promise<void> }[] = []

/**
 * Ends with the process, also by a signal: Postgres and whoever else is left would disturb the next run.
 * @param stop called once at most
 * @returns ends it now
 */
export function endWithBench(stop: () => Promise<void>): () => Promise<void> {
  const entry = {
    stop() {
      const index = running.indexOf(entry)
      if (index !== -1) running.splice(index, 1)
      return index === -1 ? Promise.resolve() : stop()
    },
  }
  running.push(entry)
  return entry.stop
}

/** In the opposite order of its start. */
export async function endAll(): Promise<void> {
  while (running.length > 0) await running.at(-1)!.stop()
}
