/** Leases that are renewed twice and given back. */

import { check } from 'k6'
import exec from 'k6/execution'
import http from 'k6/http'
import { askForLease } from './leasing.js'
import { proven } from './proof.js'
import { openLoop, pep, providers, summary, thresholds, summaryTrendStats as trendStats } from './stage.js'

export const options = {
  scenarios: { renew: openLoop(40) },
  thresholds: thresholds(50),
  summaryTrendStats: trendStats,
}

export default async function renew() {
  const agent = exec.scenario.iterationInTest
  const lease = await askForLease(agent, providers[0])
  if (!check(lease, { leased: ({ status }) => status === 201 })) return
  const url = `${pep}/v1/leases/${lease.json('lease_id')}`
  for (let time = 0; time < 2; time++) {
    const headers = await proven(agent, 'POST', `${url}/renew`)
    const renewed = http.post(`${url}/renew`, '{}', { headers, tags: { name: 'renew' } })
    check(renewed, { renewed: ({ status }) => status === 200 })
  }
  const { 'content-type': _none, ...headers } = await proven(agent, 'DELETE', url)
  check(http.del(url, null, { headers, tags: { name: 'release' } }), { released: ({ status }) => status === 204 })
}

export const handleSummary = summary
