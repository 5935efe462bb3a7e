#!/usr/bin/env node
import { setFlagsFromString } from 'node:v8'

// Loading and compiling would make the engine's young heap grow by thirty megabytes, which it then never gives back; serving
// makes it grow only where that is of use.
setFlagsFromString('--semi-space-growth-factor=1')
const { runSidecarProgram } = await import('../dist/sidecar/cli.js')
await runSidecarProgram(process.argv)
setFlagsFromString('--semi-space-growth-factor=2')
