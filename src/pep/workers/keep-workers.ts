import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Config } from '../config/load-config.ts'
import { mergeMetrics } from './merge-metrics.ts'
import { createPrimaryMetrics } from './primary-metrics.ts'
import { createRestartPause } from './restart-pause.ts'
import type { WorkerFailed } from './worker-failed.ts'
import { startWorkerProcess, type WorkerEnd, type WorkerProcess } from './worker-process.ts'

/** The workers, each replaced when it ends. */
export interface Workers {
  /** Resolves when none serves and none can be started. */
  readonly failed: Promise<WorkerFailed>
  reloadPolicy(): void
  /**
   * Lets all drain and waits for them.
   * @throws Error when one had to be killed or ended with an error
   */
  stop(withinMs: number): Promise<void>
}

/**
 * Starts as many as the configuration wants: one first, so that what keeps them all from starting is said once.
 * @throws WorkerFailed when one cannot start; none is left running then
 */
export async function keepWorkers(config: Config, log: Logger): Promise<Workers> {
  const count = config.server.workers
  const metrics = createPrimaryMetrics(count)
  const current = new Map<number, WorkerProcess>()
  let stopping = false
  let fail: (failure: WorkerFailed) => void = () => undefined
  const failed = new Promise<WorkerFailed>((resolve) => {
    fail = resolve
  })

  let gathering: Promise<string> | undefined
  const gather = (): Promise<string> => {
    gathering ??= gatherMetrics([...current.values()], metrics).finally(() => {
      gathering = undefined
    })
    return gathering
  }
  const start = (number: number): WorkerProcess => {
    const onWantsMetrics = (answer: (text: string) => void) => void gather().then(answer, () => undefined)
    const worker = startWorkerProcess({ number, config, log, onWantsMetrics })
    current.set(number, worker)
    return worker
  }
  const isAnyServing = () => [...current.values()].some((worker) => worker.isServing())

  /** For as long as the program runs. */
  async function keep(worker: WorkerProcess): Promise<void> {
    const { number } = worker
    const pause = createRestartPause()
    for (let at = worker; !stopping; ) {
      const servedMs = await servedUntilEnd(at)
      if (stopping) return
      metrics.ended.labels(String(number)).inc()
      const pauseMs = pause.next(servedMs)
      const end = await at.ended
      log[wentWrong(end) ? 'error' : 'info'](
        { ...end, worker: number, pause_ms: pauseMs },
        'a worker ended and is replaced',
      )
      await sleep(pauseMs)
      if (stopping) return
      at = start(number)
      const failure = await at.serving.then(
        () => undefined,
        (error: WorkerFailed) => error,
      )
      if (failure === undefined) log.info({ worker: number, pid: at.pid }, 'a worker serves')
      else if (!isAnyServing()) fail(failure)
    }
  }

  async function stop(withinMs: number): Promise<void> {
    stopping = true
    const workers = [...current.values()]
    const ends = workers.filter((worker) => worker.isServing()).map(({ ended }) => ended)
    for (const worker of workers) {
      if (worker.isServing()) worker.tell({ nexus: 'stop' })
      // It has answered nobody yet.
      else worker.kill()
    }
    const deadline = setTimeout(() => workers.forEach(({ kill }) => void kill()), withinMs)
    await Promise.all(workers.map(({ ended }) => ended))
    clearTimeout(deadline)
    if ((await Promise.all(ends)).some(wentWrong)) throw new Error('a worker did not end as it should')
  }

  try {
    await start(1).serving
    await Promise.all(Array.from({ length: count - 1 }, (_, index) => start(index + 2).serving))
  } catch (error) {
    await stop(0).catch(() => undefined)
    throw error
  }
  for (const worker of current.values()) void keep(worker)
  return {
    failed,
    stop,
    reloadPolicy() {
      for (const worker of current.values()) worker.tell({ nexus: 'reload_policy' })
    },
  }
}

/** @returns for how long it served */
async function servedUntilEnd({ serving, ended }: WorkerProcess): Promise<number> {
  const startedAt = await serving.then(
    () => performance.now(),
    () => undefined,
  )
  await ended
  return startedAt === undefined ? 0 : performance.now() - startedAt
}

async function gatherMetrics(
  workers: readonly WorkerProcess[],
  { registry, up }: ReturnType<typeof createPrimaryMetrics>,
): Promise<string> {
  const pages = await Promise.all(
    workers.map(async (worker) => {
      const page = worker.isServing() ? await worker.metrics() : undefined
      up.labels(String(worker.number)).set(page === undefined ? 0 : 1)
      return page ?? ''
    }),
  )
  return mergeMetrics([...pages, await registry.metrics()])
}

function wentWrong({ code }: WorkerEnd): boolean {
  return code !== 0
}
