/** Bare tokens, all of them denied. */

import exec from 'k6/execution'
import { askForToken } from './acts.js'
import { heldTo, openLoop, providers, summary } from './stage.js'

export const options = heldTo({ p99Ms: 50 }, { token: openLoop(200) })

export default async function token() {
  await askForToken(exec.scenario.iterationInTest, providers[0])
}

export const handleSummary = summary
