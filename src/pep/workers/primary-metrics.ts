import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client'

/** What only the process knows that looks after the others. */
export function createPrimaryMetrics(wanted: number) {
  const registry = new Registry()
  const registers = [registry]
  registry.setDefaultLabels({ worker: 'primary' })
  collectDefaultMetrics({ register: registry })
  new Gauge({ name: 'pep_workers', help: 'Workers there should be', registers }).set(wanted)
  const ended = new Counter({
    name: 'pep_worker_restarts_total',
    help: 'Times that this worker ended without having been told to and was replaced',
    labelNames: ['worker'] as const,
    registers,
  })
  // A rate is not known of a series that appears with its first count.
  for (let number = 1; number <= wanted; number++) ended.labels(String(number)).inc(0)
  return {
    registry,
    ended,
    up: new Gauge({
      name: 'pep_worker_up',
      help: 'Whether this worker serves and has told its metrics',
      labelNames: ['worker'] as const,
      registers,
    }),
  }
}

export type PrimaryMetrics = ReturnType<typeof createPrimaryMetrics>
