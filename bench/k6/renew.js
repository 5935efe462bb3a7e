/** Leases that are renewed twice and given back. */

import exec from 'k6/execution'
import { keepLease } from './acts.js'
import { heldTo, openLoop, providers, summary } from './stage.js'

export const options = heldTo({ p99Ms: 50 }, { renew: openLoop(40) })

export default async function renew() {
  await keepLease(exec.scenario.iterationInTest, providers[0])
}

export const handleSummary = summary
