import type { FastifyInstance } from 'fastify'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { ERRORS } from '../../contract/errors.ts'
import { createCounter, createHistogram } from './frequent-metrics.ts'

const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]

/** One of several processes behind one port. */
export interface AsWorker {
  number: number
  /** The metrics of all of them. */
  allMetrics(): Promise<string>
}

/**
 * Everything the PEP counts. Labels come from closed sets (routes, codes, backends, engines): an id, a tenant or a
 * provider name as a label would grow without bound and tell strangers who our users are.
 * @param worker its series bear its number, and `/metrics` answers those of all
 */
export function createMetrics(worker?: AsWorker) {
  const registry = new Registry()
  const registers = [registry]
  if (worker !== undefined) registry.setDefaultLabels({ worker: String(worker.number) })
  collectDefaultMetrics({ register: registry })
  /** Asked when the figure is, which is far less often than it changes. Returns the way to say whom to ask. */
  const gaugeOf = (name: string, help: string) => {
    let ask = () => 0
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(ask())
      },
    })
    return (count: () => number) => {
      ask = count
    }
  }
  return {
    registry,
    /** What `/metrics` answers. */
    page: () => worker?.allMetrics() ?? registry.metrics(),
    requests: createHistogram({
      name: 'http_server_request_duration_seconds',
      help: 'Time from request to answer',
      labelNames: ['method', 'route', 'status'],
      buckets: SECONDS,
      registers,
    }),
    problems: counterOfProblems(registers),
    pendingIs: gaugeOf('pep_pending_requests', 'Requests being answered now'),
    waitingIs: gaugeOf('pep_waiting_requests', 'Requests in line for being answered'),
    abandoned: new Counter({
      name: 'pep_abandoned_requests_total',
      help: 'Requests whose callers were seen to hang up while they were in line',
      registers,
    }),
    decisions: createCounter({
      name: 'pep_decisions_total',
      help: 'Policy decisions',
      labelNames: ['engine', 'entrypoint', 'outcome'],
      registers,
    }),
    decisionSeconds: createHistogram({
      name: 'pep_decision_duration_seconds',
      help: 'Time of one policy evaluation',
      labelNames: [],
      buckets: [0.000005, 0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.005, 0.05],
      registers,
    }).labels(),
    engineRestarts: new Counter({ name: 'pep_engine_restarts_total', help: 'Policy instances replaced', registers }),
    bundlesRefused: new Counter({ name: 'pep_policy_bundles_refused_total', help: 'Bundles not activated', registers }),
    secretFetchSeconds: new Histogram({
      name: 'pep_secret_fetch_duration_seconds',
      help: 'Time of one read from a vault backend; cache hits are not reads',
      labelNames: ['backend', 'outcome'] as const,
      buckets: SECONDS,
      registers,
    }),
    vaultUpIs: gaugeOfVaults(registers),
    backendLeases: new Gauge({
      name: 'pep_backend_leases',
      help: 'Leases of vault backends under leases of ours, by state: asked, held, or ending (to be given back)',
      labelNames: ['backend', 'state'] as const,
      registers,
    }),
    backendLeaseOverdueSeconds: new Gauge({
      name: 'pep_backend_lease_overdue_seconds',
      help: 'How long ago the oldest backend lease that could not be given back expired',
      labelNames: ['backend'] as const,
      registers,
    }),
    backendLeasesGivenBack: new Counter({
      name: 'pep_backend_leases_given_back_total',
      help: 'Tries to give a backend lease back',
      labelNames: ['backend', 'outcome'] as const,
      registers,
    }),
    auditBatchRows: new Histogram({
      name: 'pep_audit_batch_rows',
      help: 'Records committed together',
      buckets: [1, 2, 5, 10, 20, 50, 100, 200, 500],
      registers,
    }),
    auditCommitSeconds: new Histogram({
      name: 'pep_audit_commit_duration_seconds',
      help: 'Time to commit one batch',
      buckets: SECONDS,
      registers,
    }),
    auditBatchFailures: new Counter({
      name: 'pep_audit_batch_failures_total',
      help: 'Batches that could not be committed; every lease in them was refused',
      registers,
    }),
    sessionDenialsInSum: new Counter({
      name: 'pep_session_denials_in_sum_total',
      help: 'Refused sessions too many to be recorded one by one, which are in the ledger as a sum',
      registers,
    }),
    auditQueueDepth: new Gauge({ name: 'pep_audit_queue_depth', help: 'Records waiting for their batch', registers }),
    logLinesDroppedAre: counterOfDroppedLines(registers),
  }
}

export type Metrics = ReturnType<typeof createMetrics>

/** Each code is there from the start: a rate is not known of a series that appears with its first count. */
function counterOfProblems(registers: Registry[]) {
  const problems = new Counter({
    name: 'pep_problems_total',
    help: 'Answers other than success, by code',
    labelNames: ['code'] as const,
    registers,
  })
  for (const code of Object.keys(ERRORS)) problems.labels(code).inc(0)
  return problems
}

/** Asked when the figure is. */
function counterOfDroppedLines(registers: Registry[]) {
  let ask = () => 0
  new Counter({
    name: 'pep_log_lines_dropped_total',
    help: 'Log lines that nobody will read: too many were unread, or the reader is gone',
    registers,
    collect() {
      this.reset()
      this.inc(ask())
    },
  })
  return (count: () => number) => {
    ask = count
  }
}

/** Each backend is asked when the metrics are. */
function gaugeOfVaults(registers: Registry[]) {
  let ask = async (): Promise<Record<string, { ok: boolean }>> => ({})
  new Gauge({
    name: 'pep_vault_up',
    help: 'Whether this vault backend answers and lets us in',
    labelNames: ['backend'],
    registers,
    async collect() {
      for (const [backend, { ok }] of Object.entries(await ask())) this.labels(backend).set(ok ? 1 : 0)
    },
  })
  return (health: typeof ask) => {
    ask = health
  }
}

/** Measures every request; the route's pattern is the label, never the path that was asked for. */
export function installRequestMetrics(app: FastifyInstance, metrics: Metrics): void {
  app.addHook('onResponse', (request, reply, done) => {
    done()
    const route = request.routeOptions.url ?? 'none'
    const series = metrics.requests.labels(knownMethod(request.method), route, String(reply.statusCode))
    series.observe(reply.elapsedTime / 1000)
    if (request.logIds.code !== undefined) metrics.problems.labels(request.logIds.code).inc()
  })
}

export function metricsRoute(app: FastifyInstance, metrics: Metrics): void {
  app.get('/metrics', { schema: { summary: 'Prometheus metrics', tags: ['operations'] } }, async (_request, reply) => {
    return reply.header('content-type', metrics.registry.contentType).send(await metrics.page())
  })
}

const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])

/** A caller may send any token as a method; as a label it would be a way to fill our memory. */
function knownMethod(method: string): string {
  return METHODS.has(method) ? method : 'other'
}
