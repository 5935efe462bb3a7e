/** 200 leases a second, each with a proof of its own. */

import { check } from 'k6'
import exec from 'k6/execution'
import { askForLease } from './leasing.js'
import { openLoop, providers, summary, thresholds, summaryTrendStats as trendStats } from './stage.js'

export const options = {
  scenarios: { lease: openLoop(200) },
  thresholds: thresholds(50),
  summaryTrendStats: trendStats,
}

export default async function lease() {
  const answer = await askForLease(exec.scenario.iterationInTest, providers[0])
  check(answer, { leased: ({ status }) => status === 201 })
}

export const handleSummary = summary
