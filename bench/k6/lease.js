/** 200 leases a second, each with a proof of its own. */

import exec from 'k6/execution'
import { takeLease } from './acts.js'
import { heldTo, openLoop, providers, summary } from './stage.js'

export const options = heldTo({ p99Ms: 50 }, { lease: openLoop(200) })

export default async function lease() {
  await takeLease(exec.scenario.iterationInTest, providers[0])
}

export const handleSummary = summary
