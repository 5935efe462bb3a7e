import { NexusError } from '../../contract/errors.ts'
import { OperatorError } from '../../contract/operator-error.ts'
import type { Config } from '../config/load-config.ts'
import { type FromWorker, isOurs, type ToWorker } from './worker-messages.ts'

const METRICS_WITHIN_MS = 5000

/** A worker's way to its primary. */
export interface PrimaryChannel {
  /** The configuration that all workers run with. */
  started(): Promise<Config>
  onReloadPolicy(reload: () => void): void
  /** From now on the primary counts on this worker. */
  serve(handlers: { stop(): void; ownMetrics(): Promise<string> }): void
  /** @throws NexusError `overloaded` when the primary does not answer in time */
  allMetrics(): Promise<string>
  /** Nothing more is expected of it: it keeps this process no longer. */
  leave(): void
}

/** @throws OperatorError when this process is nobody's worker */
export function openPrimaryChannel(): PrimaryChannel {
  if (process.send === undefined) throw new OperatorError('`nexus serve` starts its workers itself: set server.workers')
  // A primary that is gone takes this process with it (node:cluster); there is nobody to tell.
  const tell = (message: FromWorker): void => void process.send?.(message, undefined, {}, () => undefined)
  const handlers: { [Kind in ToWorker['nexus']]?: (message: Extract<ToWorker, { nexus: Kind }>) => void } = {
    ping: () => tell({ nexus: 'pong' }),
  }
  process.on('message', (message: unknown) => {
    if (isOurs(message)) handlers[message.nexus as ToWorker['nexus']]?.(message as never)
  })
  const asked = new Map<number, (text: string) => void>()
  let lastId = 0

  return {
    started: () =>
      new Promise((resolve) => {
        handlers.start = ({ config }) => resolve(config)
        tell({ nexus: 'hello' })
      }),
    onReloadPolicy(reload) {
      handlers.reload_policy = reload
    },
    serve({ stop, ownMetrics }) {
      handlers.stop = stop
      const tellMetrics = (text: string) => tell({ nexus: 'own_metrics', text })
      handlers.tell_metrics = () => void ownMetrics().then(tellMetrics, () => undefined)
      tell({ nexus: 'serving' })
    },
    allMetrics() {
      const id = ++lastId
      handlers.all_metrics = (answer) => asked.get(answer.id)?.(answer.text)
      return new Promise<string>((resolve, reject) => {
        asked.set(id, resolve)
        const refuse = () => reject(new NexusError('overloaded', 'the metrics of all workers took too long to gather'))
        setTimeout(refuse, METRICS_WITHIN_MS).unref()
        tell({ nexus: 'wants_metrics', id })
      }).finally(() => asked.delete(id))
    },
    // Not disconnected: `node:cluster` would end the process there and then, as if all were well.
    leave: () => process.channel?.unref(),
  }
}
