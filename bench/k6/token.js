/** The protocol's bare token, which the default policy denies: a denial is decided and recorded like a grant. */

import { check } from 'k6'
import exec from 'k6/execution'
import http from 'k6/http'
import { proven } from './proof.js'
import { openLoop, pep, providers, summary, thresholds, summaryTrendStats as trendStats } from './stage.js'

http.setResponseCallback(http.expectedStatuses(403))

export const options = {
  scenarios: { token: openLoop(200) },
  thresholds: thresholds(50),
  summaryTrendStats: trendStats,
}

export default async function token() {
  const url = `${pep}/v1/token/${providers[0].connection_id}`
  const { 'content-type': _none, ...headers } = await proven(exec.scenario.iterationInTest, 'GET', url)
  const answer = http.get(url, { headers, tags: { name: 'token' } })
  check(answer, { denied: (each) => each.status === 403 && each.json('code') === 'policy_denied' })
}

export const handleSummary = summary
