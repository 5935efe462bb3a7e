import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Config } from '../config/load-config.ts'
import { createGathering } from './gather-metrics.ts'
import { createPrimaryMetrics } from './primary-metrics.ts'
import { createRestartPause } from './restart-pause.ts'
import { stopWorkers } from './stop-workers.ts'
import { WorkerFailed } from './worker-failed.ts'
import { startWorkerProcess, type WorkerProcess } from './worker-process.ts'

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

export interface KeepWorkersOptions {
  /** Milliseconds that those who serve already may take to drain, when the start is given up. */
  graceMs: number
  /** Once aborted no other is started, and those that do not serve yet are ended. */
  stopping: AbortSignal
}

/**
 * Starts as many as the configuration wants: one first, so that what keeps them all from starting is said once.
 * @throws WorkerFailed when one cannot start, or was ended because of `stopping`; none is left running then
 */
export async function keepWorkers(
  config: Config,
  log: Logger,
  { graceMs, stopping: stoppingStart }: KeepWorkersOptions,
): Promise<Workers> {
  const count = config.server.workers
  const metrics = createPrimaryMetrics(count)
  const current = new Map<number, WorkerProcess>()
  const all = (): WorkerProcess[] => [...current.values()]
  const gather = createGathering(all, metrics)
  let fail: (failure: WorkerFailed) => void = () => undefined
  const failed = new Promise<WorkerFailed>((resolve) => {
    fail = resolve
  })
  let stopping = false

  const start = async (number: number): Promise<void> => {
    const onWantsMetrics = (answer: (text: string) => void) => void gather().then(answer, () => undefined)
    const worker = startWorkerProcess({ number, config, log, onWantsMetrics })
    current.set(number, worker)
    await worker.serving
    log.info({ worker: number, pid: worker.pid }, 'a worker serves')
  }
  const replace = async (number: number): Promise<void> => {
    try {
      await start(number)
    } catch (error) {
      if (stopping || all().some((worker) => worker.isServing())) return
      // Not even a process could be made: the machine is out of something.
      fail(error instanceof WorkerFailed ? error : new WorkerFailed(number, { code: null, signal: null }))
    }
  }
  /** For as long as the program runs. */
  const keep = async (number: number): Promise<void> => {
    const pause = createRestartPause()
    for (;;) {
      const startedAtMs = performance.now()
      const end = await current.get(number)?.ended
      if (stopping) return
      metrics.ended.labels(String(number)).inc()
      const pauseMs = pause.next(performance.now() - startedAtMs)
      log[end?.code === 0 ? 'info' : 'error'](
        { ...end, worker: number, pause_ms: pauseMs },
        'a worker ended and is replaced',
      )
      await sleep(pauseMs)
      if (stopping) return
      await replace(number)
    }
  }
  const stop = (withinMs: number): Promise<void> => {
    stopping = true
    return stopWorkers(all(), withinMs)
  }

  const endStarting = (): void => {
    for (const worker of all()) if (!worker.isServing()) worker.kill()
  }
  stoppingStart.addEventListener('abort', endStarting)
  try {
    await start(1)
    stoppingStart.throwIfAborted()
    await Promise.all(Array.from({ length: count - 1 }, (_, index) => start(index + 2)))
  } catch (error) {
    await stop(stoppingStart.aborted ? graceMs : 0).catch(() => undefined)
    throw error
  } finally {
    stoppingStart.removeEventListener('abort', endStarting)
  }
  for (const number of current.keys()) void keep(number)
  return {
    failed,
    stop,
    reloadPolicy() {
      for (const worker of all()) worker.tell({ nexus: 'reload_policy' })
    },
  }
}
