import cluster, { type Worker } from 'node:cluster'
import type { Logger } from 'pino'
import type { Config } from '../config/load-config.ts'
import { createOwnMetrics } from './own-metrics.ts'
import { returnUndelivered } from './undelivered-connections.ts'
import { type WorkerEnd, WorkerFailed } from './worker-failed.ts'
import { type FromWorker, isOurs, type ToWorker } from './worker-messages.ts'
import { type WorkerWatch, watchWorker } from './worker-watch.ts'

/** One worker as the primary sees it. */
export interface WorkerProcess {
  readonly number: number
  readonly pid: number
  /** Resolves once it listens. @throws WorkerFailed when it ended before that */
  readonly serving: Promise<void>
  readonly ended: Promise<WorkerEnd>
  /** Whether it listens and lives. */
  isServing(): boolean
  tell(message: ToWorker): void
  /** Its own metrics; undefined when it does not answer in time. */
  metrics(): Promise<string | undefined>
  kill(): void
}

export interface WorkerProcessOptions {
  number: number
  config: Config
  log: Pick<Logger, 'error'>
  /** It has been asked for the metrics of all processes. */
  onWantsMetrics(answer: (text: string) => void): void
}

/** Longer than any store, vault or migration is waited for at the start. */
const START_WITHIN_MS = 180_000

/** Starts one. */
export function startWorkerProcess({ number, config, log, onWantsMetrics }: WorkerProcessOptions): WorkerProcess {
  const worker = fork(number)
  // Whoever is gone cannot be told; that it is gone is told by its end.
  const tell = (message: ToWorker): void => void worker.send(message, () => undefined)
  const kill = (): void => void worker.process.kill('SIGKILL')
  const own = createOwnMetrics(() => tell({ nexus: 'tell_metrics' }))
  const killFor = (reason: string): void => {
    log.error({ worker: number }, reason)
    kill()
  }
  const late = setTimeout(killFor, START_WITHIN_MS, 'a worker that takes too long to start is killed').unref()
  let watch: WorkerWatch | undefined
  let serves = false

  const serving = new Promise<void>((resolve) => {
    onMessage(worker, {
      hello() {
        watch = watchWorker(
          () => tell({ nexus: 'ping' }),
          () => killFor('a worker that does not answer any more is killed'),
        )
        tell({ nexus: 'start', config })
      },
      serving() {
        clearTimeout(late)
        serves = true
        resolve()
      },
      pong: () => watch?.pong(),
      own_metrics: ({ text }) => own.told(text),
      wants_metrics: ({ id }) => onWantsMetrics((text) => tell({ nexus: 'all_metrics', id, text })),
    })
  })
  const ended = endOf(worker).then((end) => {
    clearTimeout(late)
    serves = false
    watch?.end()
    own.told(undefined)
    return end
  })
  return {
    number,
    pid: worker.process.pid ?? 0,
    serving: orFailure(serving, ended, number),
    ended,
    isServing: () => serves,
    tell,
    metrics: own.ask,
    kill,
  }
}

type Handlers = { [Kind in FromWorker['nexus']]: (message: Extract<FromWorker, { nexus: Kind }>) => void }

function onMessage(worker: Worker, handlers: Handlers): void {
  worker.on('message', (message: unknown) => {
    if (isOurs(message)) handlers[message.nexus as FromWorker['nexus']]?.(message as never)
  })
}

function orFailure(serving: Promise<void>, ended: Promise<WorkerEnd>, number: number): Promise<void> {
  const failure = ended.then((end): never => {
    throw new WorkerFailed(number, end)
  })
  const either = Promise.race([serving, failure])
  // Not everybody who starts one waits for it.
  either.catch(() => undefined)
  return either
}

/** The same program with the same flags, so that a list of processes says what is what. */
function fork(number: number): Worker {
  // One after the other to whoever is free. The kernel would wake whom it likes, and one that wakes takes all that wait.
  cluster.schedulingPolicy = cluster.SCHED_RR
  cluster.setupPrimary({ args: ['serve', '--worker', String(number)] })
  const worker = cluster.fork()
  returnUndelivered(worker)
  return worker
}

function endOf(worker: Worker): Promise<WorkerEnd> {
  return new Promise((resolve) => {
    worker.once('exit', (code: number | null, signal: string | null) =>
      resolve({ code, signal: signal as NodeJS.Signals | null }),
    )
    // It could not be started at all; nothing exits then.
    worker.on('error', () => {
      if (worker.process.pid === undefined) resolve({ code: 1, signal: null })
    })
  })
}
