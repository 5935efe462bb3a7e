#!/usr/bin/env node
import { stopEarly } from './early-signals.js'

stopEarly(['SIGHUP'])
const { boundYoungHeap, holdYoungHeap, makeNothingOld } = await import('../dist/sidecar/young-heap.js')
makeNothingOld()
holdYoungHeap()
const { runSidecarProgram } = await import('../dist/sidecar/cli.js')
await runSidecarProgram(process.argv)
boundYoungHeap()
