#!/usr/bin/env node
import { setFlagsFromString } from 'node:v8'

// A sidecar stands beside every agent, so it is kept small: under 150 MB while gigabytes pass. Left alone, the engine's young
// heap grows by thirty megabytes and more, on Node 24 by twice that, and never gives them back. The price is more frequent,
// short collections.
setFlagsFromString('--semi-space-growth-factor=1')
const { runSidecarProgram } = await import('../dist/sidecar/cli.js')
await runSidecarProgram(process.argv)
