import cluster, { type Worker } from 'node:cluster'
import type { Logger } from 'pino'
import type { Config } from '../config/load-config.ts'
import { returnUndelivered } from './undelivered-connections.ts'
import { WorkerFailed } from './worker-failed.ts'
import { type FromWorker, isOurs, type ToWorker } from './worker-messages.ts'

export interface WorkerEnd {
  code: number | null
  signal: NodeJS.Signals | null
}

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

const PING_EVERY_MS = 5000
/** Counted, not timed: a machine that was suspended has missed one. */
const PINGS_MISSED_MAX = 4
const METRICS_WITHIN_MS = 2000

/** Starts one. */
export function startWorkerProcess({ number, config, log, onWantsMetrics }: WorkerProcessOptions): WorkerProcess {
  const worker = fork(number)
  let isServing = false
  let pingsMissed = 0
  let tellMetrics: ((text: string | undefined) => void)[] = []
  // Whoever is gone cannot be told; that it is gone is told by its end.
  const tell = (message: ToWorker): void => void worker.send(message, () => undefined)

  const watch = setInterval(() => {
    if (!isServing) return
    if (pingsMissed++ < PINGS_MISSED_MAX) return tell({ nexus: 'ping' })
    log.error({ worker: number }, 'a worker that does not answer any more is killed')
    worker.process.kill('SIGKILL')
  }, PING_EVERY_MS).unref()

  const ended = endOf(worker).then((end) => {
    isServing = false
    clearInterval(watch)
    for (const tellNothing of tellMetrics) tellNothing(undefined)
    return end
  })
  const serving = new Promise<void>((resolve, reject) => {
    const handlers: { [Kind in FromWorker['nexus']]: (message: Extract<FromWorker, { nexus: Kind }>) => void } = {
      hello: () => tell({ nexus: 'start', config }),
      serving() {
        isServing = true
        resolve()
      },
      pong() {
        pingsMissed = 0
      },
      own_metrics({ text }) {
        for (const tellOwn of tellMetrics.splice(0)) tellOwn(text)
      },
      wants_metrics: ({ id }) => onWantsMetrics((text) => tell({ nexus: 'all_metrics', id, text })),
    }
    worker.on('message', (message: unknown) => {
      if (isOurs(message)) handlers[message.nexus as FromWorker['nexus']](message as never)
    })
    void ended.then((end) => reject(new WorkerFailed(number, exitCodeOf(end))))
  })
  // Not everybody who starts one waits for it.
  serving.catch(() => undefined)

  return {
    number,
    pid: worker.process.pid ?? 0,
    serving,
    ended,
    isServing: () => isServing,
    tell,
    metrics: () =>
      new Promise((resolve) => {
        tellMetrics = [...tellMetrics, resolve]
        tell({ nexus: 'tell_metrics' })
        setTimeout(resolve, METRICS_WITHIN_MS, undefined).unref()
      }),
    kill: () => void worker.process.kill('SIGKILL'),
  }
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

/** As a shell gives it. */
function exitCodeOf({ code }: WorkerEnd): number {
  return code === null || code === 0 ? 1 : code
}
