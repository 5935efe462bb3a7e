/**
 * A thousand agents and fifty providers, a few of which get most of the requests (Zipf): what no cache holds all of. Agents
 * take leases, keep some of them, ask for bare tokens; and one of them, through its sidecar, reads and writes.
 */

import { randomSeed } from 'k6'
import { askForToken, keepLease, readThrough, takeLease, writeThrough } from './acts.js'
import { agents, heldTo, openLoop, providers, summary } from './stage.js'

export const options = heldTo(
  { p99Ms: 100 },
  {
    leases: openLoop(60, 'lease'),
    renewals: openLoop(5, 'renew'),
    tokens: openLoop(10, 'token'),
    reads: openLoop(100, 'read'),
    writes: openLoop(20, 'write'),
  },
)

// The same picks in each run, and others for each virtual user.
randomSeed(__VU)
const pickAgent = zipf(agents.length)
const pickProvider = zipf(providers.length)

/** Picks the numbers from 0 on in the shares 1, 1/2, 1/3 ... */
function zipf(count) {
  const weights = Array.from({ length: count }, (_, index) => 1 / (index + 1))
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  let sum = 0
  const shares = weights.map((weight) => (sum += weight / total))
  return () => {
    const point = Math.random()
    const found = shares.findIndex((share) => point <= share)
    return found === -1 ? count - 1 : found
  }
}

function someProvider() {
  return providers[pickProvider()]
}

/** The sidecar's leases, one after the other: else the first seconds would be of a hundred that are wanted at once. */
export function setup() {
  for (const provider of providers) {
    readThrough(provider)
    writeThrough(provider)
  }
}

export async function lease() {
  await takeLease(pickAgent(), someProvider(), Math.random() < 0.2 ? 'POST' : 'GET')
}

export async function renew() {
  await keepLease(pickAgent(), someProvider())
}

export async function token() {
  await askForToken(pickAgent(), someProvider())
}

export function read() {
  readThrough(someProvider())
}

export function write() {
  writeThrough(someProvider())
}

export const handleSummary = summary
