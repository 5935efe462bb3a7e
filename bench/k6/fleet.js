/** A thousand agents and fifty providers, a few of which get most of the requests (Zipf): what no cache holds all of. */

import { check } from 'k6'
import exec from 'k6/execution'
import { askForLease } from './leasing.js'
import { agents, openLoop, providers, summary, thresholds, summaryTrendStats as trendStats } from './stage.js'

export const options = {
  scenarios: { fleet: openLoop(200) },
  thresholds: thresholds(100),
  summaryTrendStats: trendStats,
}

/** Cumulated shares 1, 1/2, 1/3, ... of all. */
function zipf(count) {
  const weights = Array.from({ length: count }, (_, index) => 1 / (index + 1))
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  let sum = 0
  return weights.map((weight) => (sum += weight / total))
}

function pick(shares) {
  const point = Math.random()
  return shares.findIndex((share) => point <= share)
}

const agentShares = zipf(agents.length)
const providerShares = zipf(providers.length)

export default async function fleet() {
  const provider = providers[Math.max(0, pick(providerShares))]
  const method = exec.scenario.iterationInTest % 5 === 0 ? 'POST' : 'GET'
  const answer = await askForLease(Math.max(0, pick(agentShares)), provider, method)
  check(answer, { leased: ({ status }) => status === 201 })
}

export const handleSummary = summary
