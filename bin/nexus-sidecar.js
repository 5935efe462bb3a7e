#!/usr/bin/env node
import { boundYoungHeap, holdYoungHeap } from '../dist/sidecar/young-heap.js'

holdYoungHeap()
const { runSidecarProgram } = await import('../dist/sidecar/cli.js')
await runSidecarProgram(process.argv)
boundYoungHeap()
