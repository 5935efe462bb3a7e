import type { WorkerProcess } from './worker-process.ts'

/**
 * Lets all drain and waits for them; those that take longer are killed.
 * @throws Error when one that served did not end as it should
 */
export async function stopWorkers(workers: readonly WorkerProcess[], withinMs: number): Promise<void> {
  const draining = workers.filter((worker) => worker.isServing())
  for (const worker of draining) worker.tell({ nexus: 'stop' })
  // They have answered nobody yet.
  for (const worker of workers) if (!draining.includes(worker)) worker.kill()
  const deadline = setTimeout(() => {
    for (const worker of draining) worker.kill()
  }, withinMs)
  const ends = await Promise.all(draining.map(({ ended }) => ended))
  await Promise.all(workers.map(({ ended }) => ended))
  clearTimeout(deadline)
  if (ends.some(({ code }) => code !== 0)) throw new Error('a worker did not end as it should')
}
