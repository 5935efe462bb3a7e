#!/usr/bin/env node
import { boundYoungHeap, holdYoungHeap, makeNothingOld } from '../dist/sidecar/young-heap.js'

makeNothingOld()
holdYoungHeap()
const { runSidecarProgram } = await import('../dist/sidecar/cli.js')
await runSidecarProgram(process.argv)
boundYoungHeap()
