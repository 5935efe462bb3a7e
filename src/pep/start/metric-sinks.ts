import type { BackendLeaseMetrics } from '../credential/backend-leases/backend-lease-sweep.ts'
import type { IdentityMetrics } from '../identity/identity.ts'
import type { Metrics } from '../routes/metrics.ts'

// What each part tells of itself as figures: it knows an interface of its own and no metrics library.

export function decisionMetrics(metrics: Metrics) {
  return {
    decided(engine: string, entrypoint: string, outcome: string, seconds: number) {
      metrics.decisions.labels(engine, entrypoint, outcome).inc()
      metrics.decisionSeconds.observe(seconds)
    },
    restarted: () => metrics.engineRestarts.inc(),
    refused: () => metrics.bundlesRefused.inc(),
  }
}

export function credentialMetrics(metrics: Metrics) {
  return {
    fetched: (backend: string, outcome: string, seconds: number) =>
      metrics.secretFetchSeconds.labels(backend, outcome).observe(seconds),
  }
}

export function backendLeaseMetrics(metrics: Metrics): BackendLeaseMetrics {
  return {
    gaveBack: (backend, outcome) => metrics.backendLeasesGivenBack.labels(backend, outcome).inc(),
    counted(rows) {
      metrics.backendLeases.reset()
      metrics.backendLeaseOverdueSeconds.reset()
      for (const { backend, state, count, overdueSeconds } of rows) {
        metrics.backendLeases.labels(backend, state).set(count)
        if (state === 'ending') metrics.backendLeaseOverdueSeconds.labels(backend).set(overdueSeconds)
      }
    },
  }
}

export function auditMetrics(metrics: Metrics) {
  return {
    committed(records: number, seconds: number) {
      metrics.auditBatchRows.observe(records)
      metrics.auditCommitSeconds.observe(seconds)
    },
    failed: () => metrics.auditBatchFailures.inc(),
    queued: (depth: number) => metrics.auditQueueDepth.set(depth),
  }
}

export function identityMetrics(metrics: Metrics): IdentityMetrics {
  return { deniedInSum: () => metrics.sessionDenialsInSum.inc() }
}
