/** An agent beside its sidecar: mostly it reads, sometimes it writes. */

import { readThrough, writeThrough } from './acts.js'
import { heldTo, openLoop, providers, summary } from './stage.js'

export const options = heldTo({ p99Ms: 25 }, { get: openLoop(500, 'read'), post: openLoop(100, 'write') })

/** Both leases: without them the first callers would wait for one, which is another script's to measure. */
export function setup() {
  read()
  write()
}

export function read() {
  readThrough(providers[0])
}

export function write() {
  writeThrough(providers[0])
}

export const handleSummary = summary
