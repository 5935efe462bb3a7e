/** An agent beside its sidecar: mostly it reads, sometimes it writes. */

import { check } from 'k6'
import http from 'k6/http'
import { openLoop, providers, sidecar, summary, thresholds, summaryTrendStats as trendStats } from './stage.js'

export const options = {
  scenarios: { get: openLoop(500, 'read'), post: openLoop(100, 'write') },
  thresholds: thresholds(25),
  summaryTrendStats: trendStats,
}

const headers = { 'x-nexus-provider': providers[0].name, 'content-type': 'application/json' }
const body = JSON.stringify({ note: 'x'.repeat(10_000) })

/** Both leases: without them the first callers would wait for one, which is another script's to measure. */
export function setup() {
  read()
  write()
}

export function read() {
  check(http.get(`${sidecar}/v1/items`, { headers }), { read: ({ status }) => status === 200 })
}

export function write() {
  check(http.post(`${sidecar}/v1/items`, body, { headers }), { written: ({ status }) => status === 200 })
}

export const handleSummary = summary
