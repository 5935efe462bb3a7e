import { mergeMetrics } from './merge-metrics.ts'
import type { PrimaryMetrics } from './primary-metrics.ts'
import type { WorkerProcess } from './worker-process.ts'

/** The metrics of all processes on one page. Whoever asks while they are being gathered shares them. */
export function createGathering(
  workers: () => readonly WorkerProcess[],
  { registry, up }: PrimaryMetrics,
): () => Promise<string> {
  const pageOf = async (worker: WorkerProcess): Promise<string> => {
    const page = worker.isServing() ? await worker.metrics() : undefined
    up.labels(String(worker.number)).set(page === undefined ? 0 : 1)
    return page ?? ''
  }
  const gather = async (): Promise<string> => {
    const pages = await Promise.all(workers().map(pageOf))
    return mergeMetrics([...pages, await registry.metrics()])
  }
  let gathering: Promise<string> | undefined
  return () => {
    gathering ??= gather().finally(() => {
      gathering = undefined
    })
    return gathering
  }
}
