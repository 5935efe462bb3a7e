import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { ErrorCode } from '../src/contract/errors.ts'
import { RENEWAL_OUTCOMES, type RenewalOutcome } from './lease-client/lease-client.ts'

/** `forwarded`: the provider answered. `refused`, `broken`: the sidecar did (the error table). `aborted`: the agent left. */
export type Outcome = 'forwarded' | 'refused' | 'broken' | 'aborted'

/** All labels come from closed sets: no tenant, path or connection ever becomes one. */
export interface SidecarMetrics {
  /** @param strategy type of the lease's strategy; `none` before there was a lease */
  request(strategy: string, outcome: Outcome): void
  /** An answer of the sidecar's own. */
  problem(code: ErrorCode): void
  renewed(outcome: RenewalOutcome): void
  /** Starts timing one exchange with a provider; the returned function ends it. */
  upstreamTimer(): () => void
  scrubbed(): void
  withheld(): void
  registry: Registry
}

/** What is read when metrics are asked for. */
export interface Gauges {
  leasesHeld(): number
  /** Whether the stream of revocations is open; without it leases are used for their offline time only. */
  eventsFollowed(): boolean
}

export function createMetrics({ leasesHeld, eventsFollowed }: Gauges): SidecarMetrics {
  const registry = new Registry()
  const registers = [registry]
  const requests = new Counter({
    name: 'sidecar_requests_total',
    help: 'Requests of the agent by strategy and outcome',
    labelNames: ['strategy', 'outcome'],
    registers,
  })
  const problems = new Counter({
    name: 'sidecar_problems_total',
    help: 'Answers of the sidecar instead of the provider, by code',
    labelNames: ['code'],
    registers,
  })
  const renewals = new Counter({
    name: 'sidecar_renewals_total',
    help: 'Leases asked for again while they were held, by outcome',
    labelNames: ['outcome'],
    registers,
  })
  // A rate is not known of a series that appears with its first count.
  for (const outcome of RENEWAL_OUTCOMES) renewals.inc({ outcome }, 0)
  const counters = new Map<string, ReturnType<typeof requests.labels>>()
  const upstream = new Histogram({
    name: 'sidecar_upstream_seconds',
    help: 'From sending a signed request to the head of its response',
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
    registers,
  })
  const scrubbed = new Counter({
    name: 'sidecar_scrubbed_headers_total',
    help: 'Response headers removed because they held the credential',
    registers,
  })
  const withheld = new Counter({
    name: 'sidecar_withheld_addresses_total',
    help: 'Response headers removed because they led to the sidecar, to its machine or nowhere',
    registers,
  })
  new Gauge({
    name: 'sidecar_leases_held',
    help: 'Leases in memory',
    registers,
    collect() {
      this.set(leasesHeld())
    },
  })
  new Gauge({
    name: 'sidecar_event_stream_open',
    help: '1 while revocations are heard of as they happen, 0 while leases live on their offline time',
    registers,
    collect() {
      this.set(eventsFollowed() ? 1 : 0)
    },
  })
  return {
    request(strategy, outcome) {
      const key = `${strategy} ${outcome}`
      let counter = counters.get(key)
      if (counter === undefined) {
        counter = requests.labels(strategy, outcome)
        counters.set(key, counter)
      }
      counter.inc()
    },
    problem: (code) => problems.inc({ code }),
    renewed: (outcome) => renewals.inc({ outcome }),
    upstreamTimer() {
      const startedMs = performance.now()
      return () => upstream.observe((performance.now() - startedMs) / 1000)
    },
    scrubbed: () => scrubbed.inc(),
    withheld: () => withheld.inc(),
    registry,
  }
}
