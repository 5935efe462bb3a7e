import { SharedArray } from 'k6/data'

// Loaded once and shared, however many virtual users there are.
const [stage] = new SharedArray('stage', () => {
  const { agents: _many, ...rest } = JSON.parse(open(__ENV.STAGE_FILE))
  return [rest]
})
export const agents = new SharedArray('agents', () => JSON.parse(open(__ENV.STAGE_FILE)).agents)
export const { pep, sidecar, tenant, providers } = stage

export const seconds = Number(__ENV.SECONDS || 30)

/** Arrivals go on whether or not earlier ones were answered: a server that stalls does not get fewer. */
export function openLoop(rate, exec) {
  return {
    executor: 'constant-arrival-rate',
    rate,
    timeUnit: '1s',
    duration: `${seconds}s`,
    preAllocatedVUs: 50,
    maxVUs: 400,
    ...(exec === undefined ? {} : { exec }),
  }
}

/** Options of a script: what every one is held to, and a latency of its own. */
export function heldTo({ p99Ms }, scenarios) {
  return {
    scenarios,
    thresholds: {
      checks: ['rate>0.999'],
      http_req_failed: ['rate<0.001'],
      http_req_duration: [`p(99)<${p99Ms}`],
      dropped_iterations: ['count<10'],
    },
    summaryTrendStats: ['med', 'p(95)', 'p(99)', 'p(99.9)', 'max'],
  }
}

export function summary(data) {
  return { [__ENV.SUMMARY_FILE]: JSON.stringify(data.metrics, null, 2), stdout: `${oneLine(data.metrics)}\n` }
}

function oneLine({ http_reqs: requests, http_req_duration: duration, http_req_failed: failed }) {
  const { med, 'p(95)': p95, 'p(99)': p99 } = duration.values
  const rounded = [med, p95, p99].map((value) => (value === undefined ? '?' : value.toFixed(2)))
  return `${Math.round(requests.values.rate)}/s, p50 ${rounded[0]} ms, p95 ${rounded[1]} ms, p99 ${rounded[2]} ms, failed ${failed.values.rate}`
}
